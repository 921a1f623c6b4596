// GraphQL over HTTP as its specification's own suite sees it: every audit is a test, and none may be missing.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { serverAudits } from "graphql-http";

import { Hub } from "../browser/hub.js";

// As many as graphql-http 1.23.1 has; an update that drops some must not go unseen.
const AUDITS = 61;

let hub;
before(async () => (hub = await Hub.demo()));
after(() => hub.close());

const audits = serverAudits({ url: () => hub.url("/graphql") });

test(`the suite holds at least ${AUDITS} audits`, () => assert.ok(audits.length >= AUDITS, `${audits.length} audits`));

for (const { id, name, fn } of audits) {
  test(`${id} ${name}`, async () => {
    const result = await fn();
    if (result.status === "ok") return;
    const said = await result.response?.text?.().catch(() => "(read already)");
    assert.fail(`${result.status}: ${result.reason}\n${result.response?.status} ${said}`);
  });
}
