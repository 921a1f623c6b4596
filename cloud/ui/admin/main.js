// The manager's page: lets somebody in, then shows where they are.

import * as api from "./api.js";
import { door } from "./door.js";
import * as frame from "./frame.js";
import * as session from "./session.js";
import * as tray from "./tray.js";

const OVER = "This sign-in is not good, or not any more. Sign in again; nothing is lost.";
const desk = document.getElementById("desk");

async function enter() {
  frame.fetchView().catch(() => {});
  try {
    if (!(await frame.meet())) throw session.leave("over");
  } catch (error) {
    if (!(error instanceof session.SignedOut)) door(desk, { why: api.words(error), onIn: enter, retry: true });
    return;
  }
  await api.open();
  tray.begin(frame.me().organisations);
  await frame.show();
}

function left(why) {
  // A clean page: nothing of whoever was here stays.
  if (frame.me()) location.assign(why ? "/admin?over" : "/admin");
  else door(desk, { why: why === "over" ? OVER : "", onIn: enter });
}

const came = await session.begin(left).catch(() => ({ refusal: "The cloud does not answer. Load this page again in a moment." }));
if (session.isIn()) await enter();
else door(desk, { why: came.refusal ?? (came.isOver ? OVER : ""), onIn: enter });
