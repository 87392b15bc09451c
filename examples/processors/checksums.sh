#!/bin/sh
#
# SHA-256 sums of the files below $DIRECTORY: a job processor in plain shell.
#
# Data: {"pattern": "*.md"}, of A-Z a-z 0-9 . _ * ? - only, so that nothing else can get into a command.
# Result: {"files", "bytes", "sha256": {name: sum}}

set -eu

fail_for_good() {
    printf '%s\n' "$1" >&2
    exit 65
}

# A text as JSON has it; a name with a line feed never comes here.
quoted() {
    printf '"%s"' "$(printf '%s' "$1" | tr -d '\000-\037' | sed 's/[\\"]/\\&/g')"
}

IFS= read -r job
pattern=$(printf '%s\n' "$job" |
    sed -n 's/.*"pattern" *: *"\([A-Za-z0-9._*?-]\{1,64\}\)".*/\1/p')
[ -n "$pattern" ] || fail_for_good 'the data must have a "pattern", such as "*.md"'

cd "$DIRECTORY"
list=$(mktemp)
trap 'rm -f "$list"' EXIT
trap 'exit 1' TERM
LC_ALL=C find . -type f -name "$pattern" ! -name '*
*' | LC_ALL=C sort >"$list"
total=$(($(wc -l <"$list")))

done=0
bytes=0
sums=
while IFS= read -r file; do
    name=$(quoted "${file#./}")
    sum=$(sha256sum <"$file")
    bytes=$((bytes + $(wc -c <"$file")))
    sums="$sums${sums:+,}$name:\"${sum%% *}\""
    done=$((done + 1))
    printf '{"progress":%s,"stage":"hashing","data":{"file":%s}}\n' $((100 * done / total)) "$name"
done <"$list"

printf '{"result":{"files":%s,"bytes":%s,"sha256":{%s}}}\n' "$done" "$bytes" "$sums"
