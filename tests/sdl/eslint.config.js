// How the API's schema is linted: everything that graphql-eslint recommends for schemas and for Relay, with the
// exceptions below. SDL names the schema to lint; one schema per run, because the plugin keeps the first it reads.
import graphql from "@graphql-eslint/eslint-plugin";

// Values: what they say has no identity of its own, so nobody can ask for one again. Everything else has an `id`.
const VALUES = [
  ...["Axis", "Explanation", "NowPlaying", "OpenHours", "PlayerPlan", "Reason", "Recommendation", "SyncStatus", "UserError", "Vibe"],
  ...["FairnessDay", "FairnessFigures", "FairnessWhatIf", "FairnessWhatIfDay", "ZoneFairness"],
  // The cloud's. A member is named by their venue and their user.
  ...["AnalyticsPoint", "Daypart", "HttpHeader", "Licence", "Member", "OpeningHours", "Schedule", "SongPlays", "UploadPart"],
  ...["RoomPlaying", "UploadRefusal", "UploadTarget", "VenueAnalytics", "ZoneRoom", "ZoneSettings"],
];

export default [
  {
    files: ["**/*.graphql"],
    plugins: { "@graphql-eslint": graphql },
    languageOptions: { parser: graphql.parser, parserOptions: { graphQLConfig: { schema: process.env.SDL } } },
    rules: {
      ...graphql.configs["flat/schema-recommended"].rules,
      ...graphql.configs["flat/schema-relay"].rules,
      // One line each: a description that needs more says too much at once, and the file stays half as long.
      "@graphql-eslint/description-style": ["error", { style: "inline" }],
      // Payloads, pages and edges are envelopes; PageInfo is Relay's.
      "@graphql-eslint/strict-id-in-types": [
        "error",
        { exceptions: { types: [...VALUES, "PageInfo"], suffixes: ["Payload", "Connection", "Edge"] } },
      ],
      // Relay wants connections where lists grow. Bounded lists (zones, axes, reasons, a ranking's first 50) are lists.
      "@graphql-eslint/relay-edge-types": ["error", { listTypeCanWrapOnlyEdgeType: false }],
    },
  },
  // Play.player: a play has a player, and that is what it is called.
  { files: ["**/cloud.graphql"], rules: { "@graphql-eslint/no-typename-prefix": "off" } },
];
