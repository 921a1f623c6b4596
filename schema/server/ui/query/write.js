// Writes a query from the schema: an operation for a field of a root, or a field with what lies below it.

const MOST_LEVELS = 2;

export const named = (type) => (type.ofType ? named(type.ofType) : type.name);
export const shown = (type) =>
  type.kind === "NON_NULL" ? `${shown(type.ofType)}!` : type.kind === "LIST" ? `[${shown(type.ofType)}]` : type.name;
const required = ({ type, defaultValue }) => type.kind === "NON_NULL" && defaultValue == null;

const pad = (text, by) => text.replace(/\n/g, `\n${" ".repeat(by)}`);

// What is selected of a type at first: all that is one value, and one level of what is more.
function selection(types, name, level = 1) {
  const type = types.get(name);
  if (!type?.fields) return type?.possibleTypes?.length ? " {\n  __typename\n}" : "";
  const lines = [];
  for (const field of type.fields) {
    if (field.isDeprecated || field.args.some(required)) continue;
    const below = types.get(named(field.type));
    const leaf = ["SCALAR", "ENUM"].includes(below?.kind);
    const deeper = leaf ? "" : level < MOST_LEVELS && below?.kind === "OBJECT" ? selection(types, below.name, level + 1) : null;
    if (deeper !== null && (leaf || deeper)) lines.push(`  ${field.name}${pad(deeper, 2)}`);
  }
  if (!lines.length) return level === 1 ? " {\n  __typename\n}" : "";
  return ` {\n${lines.join("\n")}\n}`;
}

const BY_NAME = { idempotencyKey: "{{key}}", songId: "{{song}}", venueCode: "{{code}}" };
const BY_TYPE = { Int: 0, Float: 0, Boolean: false };

// A value that fits a type, as a place to begin.
function sample(types, { name, type }) {
  const bare = type.kind === "NON_NULL" ? type.ofType : type;
  if (bare.kind === "LIST") return [sample(types, { name, type: bare.ofType })];
  const { kind, inputFields, enumValues } = types.get(bare.name);
  if (kind === "ENUM") return enumValues[0].name;
  if (kind !== "INPUT_OBJECT") return BY_NAME[name] ?? BY_TYPE[bare.name] ?? "";
  return Object.fromEntries(inputFields.filter(required).map((field) => [field.name, sample(types, field)]));
}

// `query Vibe($zoneId: ID!) { … }` and its variables, under a name that is not taken.
export function operation(types, root, field, taken) {
  const args = field.args.filter(required);
  const wanted = field.name[0].toUpperCase() + field.name.slice(1);
  let name = wanted;
  for (let n = 2; taken.includes(name); n += 1) name = `${wanted}${n}`;
  const declared = args.map((arg) => `$${arg.name}: ${shown(arg.type)}`).join(", ");
  const passed = args.map((arg) => `${arg.name}: $${arg.name}`).join(", ");
  const body = `${field.name}${passed && `(${passed})`}${pad(selection(types, named(field.type)), 2)}`;
  return {
    text: `${root} ${name}${declared && `(${declared})`} {\n  ${body}\n}\n`,
    variables: Object.fromEntries(args.map((arg) => [arg.name, sample(types, arg)])),
  };
}

export function selected(types, field) {
  const args = field.args.filter(required).map((arg) => `${arg.name}: `).join(", ");
  return `${field.name}${args && `(${args})`}${selection(types, named(field.type), MOST_LEVELS)}`;
}
