// What every peer serves: the catalogue as Roomtone's own API told it, in memory, with what a page needs worked out
// beforehand. Costs nothing per request but what GraphQL costs.
import { readFileSync } from 'node:fs';

export const typeDefs = /* GraphQL */ `
  enum Explicit { CLEAN EXPLICIT UNKNOWN }
  enum SongKind { INSTRUMENTAL SOUNDSCAPE }
  type Song {
    id: ID!
    title: String!
    artist: String
    album: String
    durationMs: Int!
    bpm: Float
    key: String
    kind: SongKind
    loudnessLufs: Float
    explicit: Explicit!
  }
  type SongEdge { cursor: String! node: Song! }
  type PageInfo { hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String endCursor: String }
  type SongConnection { edges: [SongEdge!]! nodes: [Song!]! pageInfo: PageInfo! totalCount: Int! }
  type Venue { name: String! timeZone: String! }
  type Query { venue: Venue! songs(first: Int, after: String): SongConnection! }
`;

const { venue, songs } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const edges = songs.map((node) => ({ cursor: Buffer.from(node.id).toString('base64url'), node }));
const places = new Map(edges.map((edge, at) => [edge.cursor, at]));

function page(first, after) {
  const start = after == null ? 0 : places.get(after) + 1;
  if (Number.isNaN(start)) throw new Error('this cursor is not of this list');
  const size = Math.min(first ?? 20, 100);
  const part = edges.slice(start, start + size);
  return {
    edges: part,
    nodes: songs.slice(start, start + size),
    totalCount: songs.length,
    pageInfo: {
      hasNextPage: start + size < songs.length,
      hasPreviousPage: start > 0,
      startCursor: part[0]?.cursor ?? null,
      endCursor: part.at(-1)?.cursor ?? null,
    },
  };
}

export const resolvers = {
  Query: { venue: () => venue, songs: (_, { first, after }) => page(first, after) },
};

export function ready(server) {
  console.log(`READY ${server.address().port}`);
}
