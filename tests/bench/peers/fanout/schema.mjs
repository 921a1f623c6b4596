// What all servers show: ../../fanout/moment.json, and when it was shown, by the clock that all processes share.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { buildSchema } from 'graphql';

const moment = JSON.parse(readFileSync(new URL('../../fanout/moment.json', import.meta.url), 'utf8'));

export const typeDefs = /* GraphQL */ `
  type Query { version: Int! }
  type Subscription { nowPlaying: NowPlaying! }
  type NowPlaying {
    at: Float! positionMs: Int! startedAt: String! asOf: String! gainDb: Float! skipVotes: Int!
    song: Song! zone: Zone!
  }
  type Song {
    id: String! title: String! artist: String! album: String! durationMs: Int! color: String! bpm: Float!
  }
  type Zone { id: String! name: String! crossfadeMs: Int! }
`;

export const now = () => ({ ...moment, at: Number(process.hrtime.bigint() / 1000n) });

/** A schema over a source of changes: a function that gives an async iterator of `{ nowPlaying }`. */
export const schemaOver = (subscribe) => {
  const schema = buildSchema(typeDefs);
  schema.getSubscriptionType().getFields().nowPlaying.subscribe = subscribe;
  return schema;
};

/** Shows a change a second, from the word on and as often as asked; ends when nobody can ask any more. */
export function show(publish) {
  const words = createInterface({ input: process.stdin });
  words.on('line', (times) => {
    let left = Number(times);
    const change = () => {
      publish({ nowPlaying: now() });
      left -= 1;
      if (left === 0) clearInterval(seconds);
    };
    const seconds = setInterval(change, 1000);
    change();
  });
  words.on('close', () => process.exit(0));
}

/** Says where to connect. */
export const ready = (port) => console.log(`READY ${port}`);
