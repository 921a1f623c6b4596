// Songs for a test: short, unlike one another, and real music where there is some to cut from.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

const RATE = 22_050;
const MUSIC = "/usr/share/games/hedgewars/Data/Music";
const RECORDINGS = ["Beach", "Desert", "Freeway"].map((name) => `${MUSIC}/${name}.ogg`);
const EVENING = ["bath", "EarthRise", "snow", "underwater", "Nature", "hell", "main_theme", "oriental", "Golf", "Freeway"];

// A 16-bit WAV file: a beat of tones over noise, by three numbers between 0 and 1.
function wav(seconds, { bright, fast, rough }) {
  const file = Buffer.alloc(44 + RATE * seconds * 2);
  file.write("RIFF", 0);
  file.writeUInt32LE(file.length - 8, 4);
  file.write("WAVEfmt ", 8);
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(1, 20);
  file.writeUInt16LE(1, 22);
  file.writeUInt32LE(RATE, 24);
  file.writeUInt32LE(RATE * 2, 28);
  file.writeUInt16LE(2, 32);
  file.writeUInt16LE(16, 34);
  file.write("data", 36);
  file.writeUInt32LE(file.length - 44, 40);
  const beat = 60 / (60 + 90 * fast);
  let noise = 1;
  for (let n = 0; n < RATE * seconds; n += 1) {
    const t = n / RATE;
    const decay = Math.exp(-6 * (t % beat));
    noise = (noise * 16_807) % 2_147_483_647;
    const tones = [1, 2, 3, 5].reduce((sum, k) => sum + Math.sin(2 * Math.PI * 165 * (1 + bright) * k * t) * (k === 1 ? 1 : bright / k), 0);
    const sound = (0.35 + 0.65 * decay) * tones * (1 - rough) + decay * rough * (noise / 1_073_741_823 - 1);
    file.writeInt16LE(Math.round(9000 * sound), 44 + 2 * n);
  }
  return file;
}

export function someSongs() {
  const made = [
    { name: "Rain on tin.wav", mimeType: "audio/wav", buffer: wav(8, { bright: 0.1, fast: 0.1, rough: 0.8 }) },
    { name: "Low sun.wav", mimeType: "audio/wav", buffer: wav(8, { bright: 0.1, fast: 0.2, rough: 0.05 }) },
    { name: "Tramlines.wav", mimeType: "audio/wav", buffer: wav(8, { bright: 0.9, fast: 0.9, rough: 0.2 }) },
  ];
  return [...made, ...RECORDINGS.filter((path) => existsSync(path)).map((path) => cut(path)).filter(Boolean)];
}

// Ten recordings, cut where they are in full swing; fewer where this machine has fewer.
export const recordings = () => EVENING.map((name) => `${MUSIC}/${name}.ogg`).filter((path) => existsSync(path)).map((path) => cut(path, 30));

// Some seconds of a recording, as it is.
function cut(path, from = 0) {
  try {
    const buffer = execFileSync("ffmpeg", ["-v", "error", "-ss", `${from}`, "-t", "20", "-i", path, "-c", "copy", "-f", "ogg", "-"], { maxBuffer: 2 ** 26 });
    return { name: path.slice(path.lastIndexOf("/") + 1), mimeType: "audio/ogg", buffer };
  } catch {
    return { name: path.slice(path.lastIndexOf("/") + 1), mimeType: "audio/ogg", buffer: readFileSync(path) };
  }
}
