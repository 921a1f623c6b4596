// The way from where a token could be read to where it could not.

const { tls } = await fetch("/api/hub").then((answer) => answer.json());
if (tls) {
  const there = document.getElementById("there");
  there.href = `https://${location.hostname}:${tls}/manage`;
  there.hidden = false;
}
