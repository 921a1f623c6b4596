// Who may do what in a venue.

import { Refused, change } from "./api.js";
import { h, render } from "./dom.js";
import { me } from "./frame.js";
import { attempt, button, field, form, input, notice, question, select } from "./parts.js";
import { MAY, ROLES, date } from "./say.js";

export function tab(place, { id, look, role }) {
  let venue = null;
  const nameOf = ({ user }) => user?.displayName ?? user?.email ?? "Somebody";

  async function give(member, to) {
    const before = member.role;
    await attempt(async () => {
      const set = (role) => change("changeMemberRole", { venueId: id, userId: member.user.id, role }, "member { role }");
      await set(to);
      notice(`${nameOf(member)} is ${ROLES[to].toLowerCase()} now.`, async () => { await set(before); await look(); });
    });
    await look();
  }

  async function remove(member) {
    const isMe = member.user.id === me().id;
    if (isMe && !(await question(`Leave ${venue.name}?`, "You see nothing of it any more. Somebody who manages it has to let you in again.", "Leave it", "Stay"))) return;
    await attempt(async () => {
      await change("removeMember", { venueId: id, userId: member.user.id }, "removedUserId");
      const back = async () => { await change("addMember", { venueId: id, email: member.user.email, role: member.role }, "member { role }"); await look(); };
      notice(isMe ? `You have left ${venue.name}.` : `${nameOf(member)} is no member any more.`, !isMe && member.user.email ? back : null);
    });
    await look();
  }

  async function add({ email, role: as }, key, at) {
    await change("addMember", { venueId: id, email: email.trim(), role: as }, "member { role }", key).catch((error) => {
      // What is refused without a field is the address.
      throw error instanceof Refused ? Object.assign(error, { field: error.field ?? "email" }) : error;
    });
    at.reset();
    await look();
    notice(`${email.trim()} is ${ROLES[as].toLowerCase()} now.`);
  }

  // From and to owner by owners only.
  const choices = (current) => Object.fromEntries(Object.entries(ROLES).filter(([key]) => key !== "OWNER" || current === "OWNER" || role("OWNER")));

  function draw() {
    const canDo = role("MANAGER");
    render(place, h("div", { class: "two" },
      h("section", { class: "stack", "aria-labelledby": "members-head" }, h("h2", { id: "members-head" }, "Members"),
        h("ul", { class: "rows" }, venue.members.map((member) => {
          const isTheirs = canDo && member.user && (member.role !== "OWNER" || role("OWNER"));
          return h("li", { class: "card box member", key: member.user?.id ?? member.since },
            h("div", { class: "names" }, h("h3", {}, nameOf(member)), h("p", { class: "quiet" }, [member.user?.displayName && member.user.email, member.user?.id === me().id && "you", `since ${date(member.since, venue.timeZone)}`].filter(Boolean).join(" · ").replace(/^./, (letter) => letter.toUpperCase()))),
            h("div", { class: "buttons" },
              isTheirs ? h("label", { class: "inline" }, h("span", { class: "unseen" }, `Role of ${nameOf(member)}`), select("role", choices(member.role), member.role, { class: "field small", onchange: (event) => give(member, event.target.value) })) : h("span", { class: "quiet" }, ROLES[member.role]),
              (isTheirs || member.user?.id === me().id) && button(member.user?.id === me().id ? "Leave" : "Remove", () => remove(member), { "aria-label": member.user?.id === me().id ? "Leave this venue" : `Remove ${nameOf(member)}` })));
        }))),
      h("div", { class: "stack" },
        canDo && h("section", { class: "card stack", key: "add" }, h("h2", {}, "Add somebody"),
          form({ class: "stack" }, add,
            field("E-mail", input("email", { type: "email", id: "member-email", required: true }), "The address that they signed up with."),
            field("Role", select("role", choices("VIEWER"), "STAFF", { id: "member-role" })),
            h("button", { class: "big solid", type: "submit" }, "Add"))),
        h("section", { class: "card", key: "roles" }, h("h2", {}, "Roles"), h("dl", { class: "roles" }, Object.entries(ROLES).map(([key, text]) => [h("dt", {}, text), h("dd", { class: "quiet" }, MAY[key])]))))));
  }

  return { show(next) { venue = next; draw(); } };
}
