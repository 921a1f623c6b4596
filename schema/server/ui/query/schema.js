// The schema to walk through: roots, types, fields, arguments, with what they mean.

import { named, shown } from "./write.js";

const $ = (id) => document.getElementById(id);
const MOST_FOUND = 60;

const QUESTION = `query Schema {
  __schema {
    queryType { name } mutationType { name } subscriptionType { name }
    types {
      kind name description specifiedByURL
      fields(includeDeprecated: true) {
        name description isDeprecated deprecationReason
        args { name description defaultValue type { ...T } }
        type { ...T }
      }
      inputFields { name description defaultValue type { ...T } }
      enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason }
      interfaces { name } possibleTypes { name }
    }
  }
}
fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }`;

const REFUSED = "This hub tells its schema to its manager only. The same schema as text lies in Roomtone\u2019s source, in schema/hub.graphql; queries can be written without it.";

const el = (tag, className, ...children) => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
};

export function createSchema({ post, onInsert }) {
  const types = new Map();
  const trail = [];
  let roots = [];
  let asked = null;

  async function load() {
    $("types").replaceChildren(el("p", "quiet", "Asking what there is \u2026"));
    let answer;
    try {
      answer = await post({ query: QUESTION, operationName: "Schema" });
    } catch {
      asked = null;
      return note("The hub does not answer. Choose \u201cSchema\u201d again in a moment.");
    }
    const schema = answer.json?.data?.__schema;
    if (!schema) {
      asked = null;
      const [{ message } = {}] = answer.json?.errors ?? [];
      return note(REFUSED, message ? `The hub says: ${message}` : "");
    }
    for (const type of schema.types) types.set(type.name, type);
    roots = [["query", schema.queryType], ["mutation", schema.mutationType], ["subscription", schema.subscriptionType]]
      .filter(([, type]) => type).map(([kind, { name }]) => ({ kind, type: types.get(name) }));
    return show();
  }

  function note(...sentences) {
    $("types").replaceChildren(...sentences.filter(Boolean).map((sentence) => el("p", "quiet", sentence)));
  }

  function show() {
    const found = $("search").value.trim().toLowerCase();
    $("back").hidden = trail.length === 0 && !found;
    if (!types.size) return;
    const at = trail.at(-1);
    $("types").replaceChildren(...(found ? matches(found) : at ? page(types.get(at)) : overview()));
    $("types").parentElement.scrollTop = 0;
  }

  function open(name) {
    $("search").value = "";
    trail.push(name);
    show();
    $("back").focus();
  }

  const link = (name, text = name) => {
    const button = el("button", "type", text);
    button.type = "button";
    button.addEventListener("click", () => open(name));
    return button;
  };

  function fieldRow(owner, field, root) {
    const args = (field.args ?? []).flatMap((arg, at) => [at ? ", " : "(", `${arg.name}: `, link(named(arg.type), shown(arg.type)), arg.defaultValue ? ` = ${arg.defaultValue}` : ""]);
    const name = el(field.isDeprecated ? "del" : "b", "", field.name);
    const line = el("span", "", name, ...args, args.length ? ")" : "", ...(field.type ? [": ", link(named(field.type), shown(field.type))] : []));
    const row = el("li", "", line);
    if (field.args) {
      const insert = el("button", "pill insert", root ? "Write" : "Insert");
      insert.type = "button";
      insert.setAttribute("aria-label", `${root ? "Write a" : "Insert"} ${root ? `${root} of ` : ""}${field.name}`);
      insert.addEventListener("click", () => onInsert(types, root, field));
      row.append(insert);
    }
    const told = [field.description, ...(field.args ?? []).filter(({ description }) => description).map((arg) => `${arg.name}: ${arg.description}`),
      field.isDeprecated && `Deprecated: ${field.deprecationReason}`].filter(Boolean);
    row.append(...told.map((sentence) => el("span", "quiet", sentence)));
    return row;
  }

  const rootOf = (type) => roots.find((root) => root.type === type)?.kind;
  const fieldsOf = (type) => type.fields ?? type.inputFields ?? type.enumValues ?? [];
  const list = (type, fields = fieldsOf(type)) => el("ul", "", ...fields.map((field) => fieldRow(type, field, rootOf(type))));
  const names = (all) => el("ul", "names", ...all.map(({ name }) => el("li", "", link(name))));

  function overview() {
    const rest = [...types.values()].filter((type) => !type.name.startsWith("__") && !rootOf(type));
    return [...roots.flatMap(({ type }) => [el("h2", "", type.name), list(type)]), el("h2", "", "Types"), names(rest)];
  }

  function page(type) {
    const parts = [el("h2", "", type.name), el("p", "quiet", `${type.kind.toLowerCase().replace("_", " ")}. ${type.description ?? ""}`)];
    if (type.interfaces?.length) parts.push(el("p", "quiet", "Is a "), names(type.interfaces));
    if (fieldsOf(type).length) parts.push(list(type));
    if (type.possibleTypes?.length) parts.push(el("p", "quiet", "Is one of "), names(type.possibleTypes));
    if (type.specifiedByURL) parts.push(el("p", "quiet", type.specifiedByURL));
    return parts;
  }

  function matches(wanted) {
    const fits = ({ name, description }) => `${name} ${description ?? ""}`.toLowerCase().includes(wanted);
    const parts = [];
    let left = MOST_FOUND;
    const byNameFirst = [...types.values()].filter(({ name }) => !name.startsWith("__"))
      .sort((a, b) => b.name.toLowerCase().includes(wanted) - a.name.toLowerCase().includes(wanted));
    for (const type of byNameFirst) {
      const fields = fieldsOf(type).filter(fits).slice(0, left);
      left -= fields.length;
      if (!fields.length && !fits(type)) continue;
      parts.push(el("h2", "", link(type.name)), ...(fields.length ? [list(type, fields)] : []));
      if (left <= 0) break;
    }
    return parts.length ? parts : [el("p", "quiet", "Nothing here is called that.")];
  }

  $("search").addEventListener("input", show);
  $("back").addEventListener("click", () => {
    if ($("search").value) $("search").value = "";
    else trail.pop();
    show();
    if ($("back").hidden) $("search").focus();
  });

  return {
    open: () => { asked ??= load(); },
    // Another token may see what this one may not.
    renew: () => { if (!types.size) asked = null; },
  };
}
