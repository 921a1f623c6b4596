// Colour for GraphQL and JSON: the text is cut into pieces, nothing is understood that a regular expression cannot.

const KEYWORDS = /^(?:query|mutation|subscription|fragment|on|true|false|null)$/;
const GRAPHQL = /(?<c>#[^\n]*)|(?<v>"""[^]*?(?:"""|$)|"(?:\\.|[^"\\\n])*"?|\$\w+|-?\d[\w.+-]*)|(?<n>[A-Za-z_]\w*)|(?<p>\.\.\.|[^\s\w"#$])/g;
const JSONISH = /(?<k>"(?:\\.|[^"\\\n])*"(?=\s*:))|(?<v>"(?:\\.|[^"\\\n])*"?|-?\d[\d.eE+-]*|true|false|null)|(?<p>[{}[\],:])/g;
// More than this is shown without colour, at once.
const MOST = 60_000;

// The pieces of GraphQL text as [class, text, place]; spaces are left out.
export function pieces(text) {
  return Array.from(text.matchAll(GRAPHQL), ({ groups, 0: piece, index }) => [
    groups.c ? "c" : groups.v ? "v" : groups.p ? "p" : KEYWORDS.test(piece) ? "k" : "n", piece, index,
  ]);
}

const cut = {
  graphql: pieces,
  json: (text) => Array.from(text.matchAll(JSONISH), ({ groups, 0: piece, index }) => [groups.p ? "p" : groups.v ? "v" : "n", piece, index]),
};

export function colour(element, text, language) {
  const parts = [];
  let at = 0;
  if (text.length <= MOST) {
    for (const [kind, piece, index] of cut[language](text)) {
      if (kind === "n") continue;
      const span = document.createElement("span");
      span.className = kind;
      span.textContent = piece;
      parts.push(text.slice(at, index), span);
      at = index + piece.length;
    }
  }
  element.replaceChildren(...parts, text.slice(at));
}
