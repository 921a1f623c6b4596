// The deprecation policy in code; CONTRIBUTING.md has it in words.
//
// A reason names what to use instead and ends in the two dates, for people and for this:
//   @deprecated(reason: "Use `axes`. Deprecated 2027-01-10, removed after 2027-04-20.")
const { isEnumType, isInputObjectType, isInterfaceType, isObjectType, getNamedType } = require("graphql");

const FORM = /^\S.*[.] Deprecated (\d{4}-\d{2}-\d{2}), removed after (\d{4}-\d{2}-\d{2})[.]$/s;

// Hubs are updated late, and clients later.
const DAYS_AT_LEAST = 90;

const day = (text) => Date.parse(`${text}T00:00:00Z`) / 86_400_000;
const today = () => Math.floor(Date.now() / 86_400_000);

/** The days of an announcement, or what is wrong with it. */
function announcement(reason) {
  const [, since, until] = FORM.exec(reason) ?? [];
  if (!since) return { wrong: 'it must end in "Deprecated YYYY-MM-DD, removed after YYYY-MM-DD." behind what to use' };
  if (!(day(since) && day(until))) return { wrong: "a date of it is none" };
  if (day(until) - day(since) < DAYS_AT_LEAST) return { wrong: `it gives less than ${DAYS_AT_LEAST} days` };
  return { until: day(until) };
}

/** Everything of a schema that can be deprecated, as [path, its reason or null, the type it leads to]. */
function* members(schema) {
  for (const type of Object.values(schema.getTypeMap())) {
    if (type.name.startsWith("__")) continue;
    if (isEnumType(type)) {
      for (const value of type.getValues()) yield [`${type.name}.${value.name}`, value.deprecationReason ?? null, null];
    } else if (isObjectType(type) || isInterfaceType(type) || isInputObjectType(type)) {
      for (const field of Object.values(type.getFields())) {
        const path = `${type.name}.${field.name}`;
        yield [path, field.deprecationReason ?? null, getNamedType(field.type).name];
        for (const argument of field.args ?? []) {
          yield [`${path}.${argument.name}`, argument.deprecationReason ?? null, getNamedType(argument.type).name];
        }
      }
    }
  }
}

/** What is wrong with the deprecations of a schema, as sentences. */
function faults(schema) {
  return [...members(schema)].flatMap(([path, reason]) => {
    if (reason === null) return [];
    const { wrong, until } = announcement(reason);
    if (wrong) return [`${path}: "${reason}": ${wrong}`];
    return until < today() ? [`${path}: its time has passed; take it out`] : [];
  });
}

/** Whether the removal of what `path` names was announced in `schema`, and the time is over. */
function isDue(schema, path) {
  const all = [...members(schema)];
  const due = new Set(all.filter(([, reason]) => reason !== null && announcement(reason).until < today()).map(([at]) => at));
  const covered = (at) => at.split(".").some((_, n, parts) => due.has(parts.slice(0, n + 1).join(".")));
  // A type goes when everything that leads to it does.
  const waysTo = all.filter(([, , leadsTo]) => leadsTo === path).map(([at]) => at);
  return covered(path) || (waysTo.length > 0 && waysTo.every(covered));
}

/** A rule for `graphql-inspector diff`: a removal that was announced in time breaks nobody. */
const announced = ({ changes, oldSchema }) =>
  changes.filter(({ criticality, path, type }) => {
    const removal = criticality.level === "BREAKING" && type.endsWith("_REMOVED");
    return !(removal && path && isDue(oldSchema, path));
  });

module.exports = announced;
module.exports.faults = faults;
