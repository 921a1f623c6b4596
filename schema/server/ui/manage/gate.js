// The gate: the PIN where there is one and nobody else on the network can read it, else the manager's token. A hub that is
// new is opened by the code that it printed when it was started, and gets its PIN.

import { Refused, ask, show } from "./ask.js";

const $ = (id) => document.getElementById(id);
const GONE = "The hub does not answer. Is it still running?";
let pinFirst = false;
let setup = null;

export function createGate({ onIn }) {
  async function tryIn(event, field, how, refusal) {
    event.preventDefault();
    $("why").textContent = "";
    field.removeAttribute("aria-invalid");
    const button = event.target.querySelector("button");
    button.disabled = true;
    try {
      onIn(await how());
      field.value = "";
    } catch (error) {
      $("why").textContent = error instanceof Refused ? refusal(error) : GONE;
      field.setAttribute("aria-invalid", "true");
    } finally {
      button.disabled = false;
    }
    if (!$("gate").hidden) field.select();
  }

  $("door").addEventListener("submit", (event) => tryIn(event, $("token"), () => {
    show($("token").value.trim());
    return ask().catch((error) => { show(null); throw error; });
  }, (error) => (error.status === 401 ? "This is not the manager’s token, or a newer one was made since." : error.message)));

  // A look at a PIN takes the hub a moment on purpose, and others may stand in line.
  $("pin-door").addEventListener("submit", (event) => tryIn(event, $("pin"), () => {
    show(null);
    return ask("/sign-in", { pin: $("pin").value }, "POST", 20_000);
  }, (error) => error.message));

  $("setup-door").addEventListener("submit", (event) => {
    if ($("first-pin").value !== $("first-again").value) {
      event.preventDefault();
      $("why").textContent = "These are two different PINs.";
      $("first-again").select();
      return;
    }
    tryIn(event, $("first-pin"), async () => {
      show(null);
      const told = await ask("/set-up", { code: setup, pin: $("first-pin").value }, "POST", 20_000);
      $("first-again").value = "";
      setup = null;
      return told;
    }, (error) => error.message);
  });

  $("other-way").addEventListener("click", () => {
    pinFirst = !pinFirst;
    lay();
    $("why").textContent = "";
    $(pinFirst ? "pin" : "token").focus();
  });

  function lay() {
    $("setup-door").hidden = !setup;
    $("pin-door").hidden = !pinFirst || Boolean(setup);
    $("door").hidden = pinFirst || Boolean(setup);
    $("token-help").hidden = pinFirst || Boolean(setup);
    $("other-way").textContent = pinFirst ? "Use the manager’s token instead" : "Use the PIN instead";
  }

  return {
    /// Shows the way in, and why one is here again.
    open({ has_pin, awaits_setup, secure, tls_port } = {}, why = "", code = null) {
      if (has_pin !== undefined) {
        setup = awaits_setup && secure ? code : null;
        if (code && !setup) why = has_pin ? "This hub has its PIN already." : "This setup code opens nothing any more. Start the hub again for another.";
        pinFirst = has_pin && secure;
        $("other-way").hidden = !pinFirst;
        $("pin-elsewhere").hidden = !has_pin || secure || !tls_port;
        $("pin-there").href = `https://${location.hostname}:${tls_port}/manage`;
      }
      lay();
      $("why").textContent = why;
      $("token").value = $("pin").value = "";
      $("gate").hidden = false;
      $(setup ? "first-pin" : pinFirst ? "pin" : "token").focus();
    },
  };
}
