// The venue's page for guests whose phones do not reach the hub: opened with a code, printed as a picture, closed again.

import { change } from "./api.js";
import { h } from "./dom.js";
import { attempt, button, notice, question } from "./parts.js";
import { qr } from "./qr.js";

const WHY = "For networks that keep guests’ phones apart from the hub: they come by this cloud, check in with the code, and their votes count in the room.";

export function guestsCard({ venue, id, look, role }) {
  const canDo = role("MANAGER");
  const code = venue.guestCode;
  const address = `${location.origin}/v/${venue.slug}`;

  const open = async (isNew) => {
    if (isNew && !(await question("Make a new code?", "Posters with the code from before let nobody in any more. Who is in stays in.", "Make it"))) return;
    await attempt(async () => {
      await change("openGuestPage", { venueId: id }, "venue { id }");
      await look();
      notice(isNew ? "The page has a new code. Print it again." : "The page is open.");
    });
  };

  const close = async () => {
    if (!(await question("Close the page for guests?", "It shows nothing any more, and who came by it has left. The room’s own page and the music go on. Opened again it has another code.", "Close it"))) return;
    await attempt(async () => {
      await change("closeGuestPage", { venueId: id }, "venue { id }");
      await look();
      notice("The page is closed.");
    });
  };

  return h("section", { class: "card stack", key: "guests", "aria-labelledby": "guests-head" },
    h("h2", { id: "guests-head" }, "Guests out of reach of the hub"),
    h("p", { class: "quiet" }, WHY),
    code && h("p", {}, h("a", { id: "guests-link", href: `${address}#code=${code}`, target: "_blank", rel: "noopener" }, address)),
    code && h("div", { class: "qr" }, qr(`${address}#code=${code}`, "The address with its code as a QR code"), h("p", { class: "quiet" }, "For the poster. Typed by hand the code is ", h("code", { id: "guests-code" }, `${code.slice(0, 5)}-${code.slice(5)}`), ".")),
    canDo && h("p", { class: "buttons" },
      code ? button("Make a new code", () => open(true)) : button("Open the page", () => open(false)),
      code && button("Close it", close)));
}
