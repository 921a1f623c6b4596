// What the files of this folder do with a hub: guests who come and go, and a look at its gauges.

import { randomUUID } from "node:crypto";

export async function checkIn(hub) {
  const input = { idempotencyKey: randomUUID(), venueCode: hub.code };
  const { checkIn } = await hub.ask("mutation ($input: CheckInInput!) { checkIn(input: $input) { token userErrors { message } } }", { input });
  if (!checkIn.token) throw new Error(JSON.stringify(checkIn.userErrors));
  return checkIn.token;
}

export async function checkOut(hub, token) {
  const input = { idempotencyKey: randomUUID() };
  await hub.ask("mutation ($input: CheckOutInput!) { checkOut(input: $input) { userErrors { message } } }", { input }, token);
}

// How many connections that stay open the hub says it has.
export async function subscribers(hub) {
  const text = await (await fetch(hub.url("/metrics"))).text();
  return Number(/^roomtone_subscribers (\d+)/m.exec(text)[1]);
}

// Resolves when nobody is connected but the demo's own silent player.
export const everybodyHasLeft = (hub) => until(async () => (await subscribers(hub)) === 1);

// Resolves when `holds` does; a test that waits for long has failed.
export async function until(holds, patience = 15_000) {
  const end = Date.now() + patience;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`not within ${patience} ms: ${holds}`);
    await new Promise((again) => setTimeout(again, 20));
  }
}
