// The end of a program that a test has started.

import { once } from "node:events";

// Tells it to end, and waits until it has; one that has ended already is left alone.
export async function ended(process, signal = "SIGTERM") {
  if (process.exitCode !== null || process.signalCode !== null) return;
  const gone = once(process, "exit");
  process.kill(signal);
  await gone;
}
