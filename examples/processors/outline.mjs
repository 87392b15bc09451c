// The outline of a Markdown text, and its links that lead nowhere: a job processor in Node.
//
// Data: {"markdown": "..."}
// Result: {"headings": [{"level", "title", "anchor"}], "dead_links": [{"line", "anchor"}]}

import process from "node:process";

const say = (report) => process.stdout.write(`${JSON.stringify(report)}\n`);

const input = await new Promise((resolve, reject) => {
  let text = "";
  process.stdin.setEncoding("utf8");
  process.stdin.on("data", (piece) => (text += piece)).on("end", () => resolve(text)).on("error", reject);
});
const markdown = JSON.parse(input).data?.markdown;

if (typeof markdown === "string") {
  say({ result: outline(markdown.split(/\r?\n/)) });
} else {
  // The end of standard error says why; 65 says that another attempt would not help.
  process.stderr.write('the data must have a "markdown" text\n');
  process.exitCode = 65;
}

function outline(lines) {
  const headings = [];
  const links = [];
  const taken = new Map();
  const step = Math.max(1, Math.ceil(lines.length / 20));
  let isCode = false;
  for (const [index, line] of lines.entries()) {
    if (index % step === 0) {
      say({ progress: Math.floor((100 * index) / lines.length), stage: "reading", message: `Line ${index + 1}` });
    }
    if (/^\s*(```|~~~)/.test(line)) isCode = !isCode;
    if (isCode) continue;
    const heading = /^(#{1,6})\s+(.*?)\s*#*$/.exec(line);
    if (heading) {
      headings.push({ level: heading[1].length, title: heading[2], anchor: anchor(heading[2], taken) });
    }
    for (const link of line.matchAll(/\]\(#([^)\s]+)\)/g)) links.push({ line: index + 1, anchor: link[1] });
  }
  const known = new Set(headings.map((heading) => heading.anchor));
  say({ progress: 100, stage: "linking", message: `${headings.length} headings, ${links.length} links` });
  return { headings, dead_links: links.filter((link) => !known.has(link.anchor)) };
}

// As GitHub makes them: the second of the same title is title-1.
function anchor(title, taken) {
  const base = title.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-");
  const times = taken.get(base) ?? 0;
  taken.set(base, times + 1);
  return times === 0 ? base : `${base}-${times}`;
}
