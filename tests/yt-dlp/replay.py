"""The real yt-dlp, but what it asks YouTube was answered before: replay.py FOLDER CAPTIONS ARGUMENTS...

The recorded answers are in FOLDER, put there by unpack.py; nothing else can be reached. Captions were not recorded:
those of each language are had from the address CAPTIONS, with the language for `{}`.
"""

import json
import os
import re
import sys

import yt_dlp
from yt_dlp.extractor import common

folder, captions, *arguments = sys.argv[1:]


def main():
    if "--load-info-json" in arguments:
        lead_captions(arguments[arguments.index("--load-info-json") + 1])
        sys.exit(yt_dlp.main(arguments))
    asked = re.search(r"[?&]v=([\w-]{11})", arguments[-1])
    video = asked and asked[1]
    said = recorded(f"{video}.info")
    if os.path.exists(said):
        sys.exit(print(open(said, encoding="utf-8").read()))
    # A hidden option of yt-dlp's, by which its makers look at what a site has said; the name is ours.
    common._request_dump_filename = name
    # Of most videos only the player's answer was recorded.
    missing = "js" if os.path.exists(recorded(f"{video}.watch")) else "webpage,configs,js,initial_data"
    sys.exit(yt_dlp.main([
        "--load-pages",
        "--extractor-args", f"youtube:player_skip={missing};player_client=android_vr",
        # Else a playlist is asked for once more.
        "--compat-options", "no-youtube-unavailable-videos",
        # Nobody is there: what was not recorded is missed at once.
        "--proxy", "http://127.0.0.1:9",
        *arguments,
    ]))


def name(url, video_id, *_, **__):
    kind = re.search(r"/(watch|playlist|player)\b", url)
    return recorded(f"{video_id}.{kind[1] if kind else 'other'}")


def recorded(name):
    return os.path.join(folder, name)


def lead_captions(path):
    with open(path, encoding="utf-8") as file:
        info = json.load(file)
    for kind in ("subtitles", "automatic_captions"):
        for language, forms in info.get(kind, {}).items():
            for form in forms:
                form["url"] = captions.replace("{}", language)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(info, file)


main()
