// The way in: a token that `roomtone-cloud dev` printed, or the project's own accounts.

import { h, render } from "./dom.js";
import { button, field, form, input, shape } from "./parts.js";
import { hasProject, signIn } from "./session.js";

export function door(desk, { why = "", onIn, retry = false }) {
  document.title = "Sign in – Roomtone";
  const heading = [shape([{ name: "ENERGY", value: 0.4 }, { name: "TEMPO", value: -0.3 }, { name: "DENSITY", value: 0.5 }]), h("h1", {}, "Roomtone")];
  const again = retry && button("Try again", onIn, { class: "big solid" });
  render(desk, h("main", { id: "main", class: "gate", key: "gate" }, heading, why && h("p", { class: "wrong", role: "alert" }, why), again || (hasProject() ? account(onIn) : token(onIn)),
    h("p", { class: "quiet" }, "Music does not depend on this page: every venue plays on its own hub. Programs ask ", h("a", { href: "/graphql" }, "/graphql"), "; how the cloud does is at ", h("a", { href: "/health" }, "/health"), ".")));
  desk.querySelector("input")?.focus();
}

function token(onIn) {
  const work = ({ token: shown }) => {
    signIn.token(shown.trim());
    return onIn();
  };
  return h("div", { class: "way" },
    h("p", {}, "This cloud has no accounts of its own. ", h("code", {}, "roomtone-cloud dev"), " prints a link that signs you in, and a token that you can paste here."),
    form({}, work, field("Token", input("token", { type: "password", required: true, spellcheck: "false" })), h("button", { class: "big solid", type: "submit" }, "Sign in")));
}

function account(onIn) {
  const byPassword = async ({ email, password }) => {
    await signIn.password(email.trim(), password);
    await onIn();
  };
  const byLink = async (_, key, at) => {
    const email = at.closest(".way").querySelector("[name=email]").value.trim();
    await signIn.link(email);
    at.replaceChildren(h("p", { role: "status" }, `A link is on its way to ${email}. Open it in this browser.`));
  };
  return h("div", { class: "way" },
    form({ autocomplete: "on" }, byPassword,
      field("E-mail", input("email", { type: "email", required: true, autocomplete: "username" })),
      field("Password", input("password", { type: "password", autocomplete: "current-password" })),
      h("button", { class: "big solid", type: "submit" }, "Sign in")),
    form({}, byLink, h("button", { class: "pill", type: "submit" }, "Send me a link instead")));
}
