"""Counts the words of a text, chapter by chapter: a job processor in Python.

Data: {"text": "..."} with chapters that begin with a line such as "Chapter 1", "IV." or "# Title".
Result: {"words", "chapters": [{"title", "words", "often": [[word, times], ...]}]}
"""

import json
import re
import sys
from collections import Counter

HEADING = re.compile(r"^\s*(?:#{1,6}\s+\S.*|chapter\s+\w+.*|[ivxlc]+\.(?:\s.*)?)$", re.IGNORECASE)
WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


def say(**members):
    """One line is one report; flushed, or watchers would see all of them at the end."""
    print(json.dumps(members), flush=True)


def chapters_of(text):
    """(title, lines) for each chapter; what stands before the first one has no title."""
    title, lines = "", []
    for line in text.splitlines():
        if HEADING.match(line):
            if title or any(lines):
                yield title, lines
            title, lines = line.strip("# \t"), []
        else:
            lines.append(line.strip())
    if title or any(lines):
        yield title, lines


def count(title, lines):
    words = [word.lower() for word in WORD.findall("\n".join(lines))]
    often = Counter(word for word in words if len(word) > 3)
    return {"title": title, "words": len(words), "often": often.most_common(3)}


def main():
    data = json.loads(sys.stdin.readline())["data"]
    text = data.get("text") if isinstance(data, dict) else None
    if not isinstance(text, str) or not text.strip():
        # Another attempt would find the same.
        say(error='the data must have a "text"', retryable=False)
        return
    say(progress=0, stage="splitting", message="Looking for chapters")
    chapters = list(chapters_of(text))
    counted = []
    for number, (title, lines) in enumerate(chapters, 1):
        counted.append(count(title, lines))
        say(
            progress=round(100 * number / len(chapters), 1),
            stage="counting",
            message=f"Chapter {number} of {len(chapters)}: {counted[-1]['words']} words",
            data={"chapter": title},
        )
    say(result={"words": sum(chapter["words"] for chapter in counted), "chapters": counted})


main()
