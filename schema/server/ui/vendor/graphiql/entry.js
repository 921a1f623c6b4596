// GraphiQL over the hub it came from. What it loads lies in the hub; nothing is fetched from anywhere else.

import "./workers.js";
import "graphiql/style.css";

import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import { createElement } from "react";
import { createRoot } from "react-dom/client";

// As on the small page: who signed in is remembered as long as the tab.
function signedIn() {
  try {
    return sessionStorage.getItem("roomtone.query.token");
  } catch {
    return null;
  }
}

const WELCOME = `# What this room hears. Ctrl+Enter runs it.
# The small page with examples is at /graphiql/small.
query NowPlaying {
  nowPlaying {
    song { title artist }
    positionMs
    explanation { reasons { code value } }
  }
}
`;

const token = signedIn();
const line = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/graphql`;

createRoot(document.getElementById("graphiql")).render(createElement(GraphiQL, {
  fetcher: createGraphiQLFetcher({ url: "/graphql", subscriptionUrl: line }),
  defaultQuery: WELCOME,
  initialHeaders: token ? JSON.stringify({ Authorization: `Bearer ${token}` }, null, 2) : undefined,
  shouldPersistHeaders: false,
  defaultEditorToolsVisibility: "variables",
}));
