// What a page is looked at with: by axe, and by a phone's camera.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

// axe itself, for a page to run.
export const axe = () => readFile(require.resolve("axe-core/axe.min.js"), "utf8");

// In the page: what axe finds serious; by all of its rules, or by some.
export async function serious(rules) {
  const { violations } = await window.axe.run(document, { resultTypes: ["violations"], ...(rules && { runOnly: rules }) });
  return violations.filter(({ impact }) => ["serious", "critical"].includes(impact)).map(({ id, nodes }) => `${id}: ${nodes.map(({ target, any }) => `${target} ${any[0]?.message ?? ""}`).slice(0, 3).join("; ")}`);
}

// In the page: every change of colour that is under way has come to its end. Halfway through one a text is paler than it
// ever rests.
export async function settled() {
  const ending = document.getAnimations().filter(({ effect }) => Number.isFinite(effect.getComputedTiming().endTime));
  await Promise.allSettled(ending.map(({ finished }) => finished));
}

// What a phone's camera makes of the picture.
export async function readQr(browser, png) {
  const page = await browser.newPage();
  const { data, width, height } = await page.evaluate(async (base64) => {
    const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${base64}`)).blob());
    const canvas = new OffscreenCanvas(image.width, image.height);
    canvas.getContext("2d").drawImage(image, 0, 0);
    const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, image.width, image.height);
    return { data: [...data], width, height };
  }, png.toString("base64"));
  await page.close();
  const jsqr = require("jsqr");
  return (jsqr.default ?? jsqr)(Uint8ClampedArray.from(data), width, height)?.data;
}
