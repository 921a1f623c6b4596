// The player under test, in a terminal of its own: what is typed there, and what its loudspeaker gets.

import { execFile, spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { ended } from "../ended.mjs";

const WINDOW_S = 0.05;
// -60 dBFS: nobody in a room with people hears that.
const FAINT = 0.001;

export class Player {
  static async start(hub, name) {
    const player = new Player();
    player.folder = await mkdtemp(join(tmpdir(), "roomtone-player-"));
    player.sound = join(player.folder, "sound.wav");
    const args = ["--data", join(player.folder, "data"), "--hub", hub.url(), "--name", name, "--output", `file:${player.sound}`];
    player.process = spawn(process.env.PLAYER_UNDER_TEST, args, { stdio: ["pipe", "pipe", "pipe"] });
    player.said = "";
    for (const stream of [player.process.stdout, player.process.stderr]) stream.on("data", (chunk) => { player.said += chunk; });
    return player;
  }

  type(line) {
    this.process.stdin.write(`${line}\n`);
  }

  // Waits until it has said so.
  async says(words, within = 30_000) {
    const end = Date.now() + within;
    while (!words.test(this.said)) {
      if (end < Date.now()) throw new Error(`the player never said ${words}:\n${this.said}`);
      await new Promise((go) => setTimeout(go, 50));
    }
  }

  async status() {
    const { stdout } = await promisify(execFile)(process.env.PLAYER_UNDER_TEST, ["--data", join(this.folder, "data"), "status", "--json"]);
    return JSON.parse(stdout);
  }

  // What the room has heard so far: how long, and the longest silence after the first sound.
  async heard() {
    const wav = await readFile(this.sound);
    const form = { channels: wav.readUInt16LE(22), rate: wav.readUInt32LE(24), bits: wav.readUInt16LE(34) };
    const samples = Math.floor(WINDOW_S * form.rate) * form.channels;
    const [bytes, read] = form.bits === 32 ? [4, (at) => wav.readFloatLE(at)] : [2, (at) => wav.readInt16LE(at) / 32_768];
    let [began, silence, longest, seconds] = [false, 0, 0, 0];
    for (let at = wav.indexOf("data") + 8; at + samples * bytes <= wav.length; at += samples * bytes) {
      let sum = 0;
      for (let n = 0; n < samples; n += 1) sum += read(at + n * bytes) ** 2;
      const isSound = Math.sqrt(sum / samples) > FAINT;
      began ||= isSound;
      if (!began) continue;
      seconds += WINDOW_S;
      silence = isSound ? 0 : silence + WINDOW_S;
      longest = Math.max(longest, silence);
    }
    return { seconds, silence: longest };
  }

  async close() {
    await ended(this.process);
    await rm(this.folder, { recursive: true, force: true });
  }
}
