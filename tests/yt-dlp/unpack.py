"""Takes recorded answers of YouTube out of the packages that have them: unpack.py PACKAGES FOLDER

Each becomes a file that is called as replay.py looks for it.
"""

import gzip
import io
import pathlib
import sys
import tarfile
import zipfile

import yaml

# What the answers of players in youtube-transcript-api are about.
PLAYERS = {
    "youtube": "GJLlxj_dtq8",
    "youtube_ww1_nl_en": "F1xioXWb8CY",
    "youtube_transcripts_disabled": "dsMFmonKDD4",
    "youtube_transcripts_disabled2": "Fjg5lYqvzUs",
    "youtube_age_restricted": "Njp5uhTorCo",
    # These are of no video in particular.
    "youtube_video_unavailable": "unavailable",
    "youtube_request_blocked": "-refused---",
}

# The recorded conversations of mopidy-youtube, and which of their answers is a playlist's page.
PLAYLISTS = {
    "backend_lookup_playlist": (0, "PLo4c-riVwz2miWOT3Y2VWzg2bmV4FmC8J"),
    "youtube_get_playlist": (1, "PLJD13y84Bd032qVrq7CHBLEfKZZtp-u1j"),
}


def main():
    packages, folder = map(pathlib.Path, sys.argv[1:])

    def keep(name, content):
        (folder / name).write_bytes(content)

    with zipfile.ZipFile(only(packages, "youtube_transcript_api-*.whl")) as wheel:
        assets = "youtube_transcript_api/test/assets"
        for asset, video in PLAYERS.items():
            keep(f"{video}.player", wheel.read(f"{assets}/{asset}.innertube.json.static"))
        keep("GJLlxj_dtq8.watch", wheel.read(f"{assets}/youtube.html.static"))
    with tarfile.open(only(packages, "mopidy_youtube-*.tar.gz")) as source:
        for conversation, (place, playlist) in PLAYLISTS.items():
            keep(f"{playlist}.playlist", answer(source, conversation, place))
    with tarfile.open(only(packages, "ytpb-*.tar.gz")) as source:
        keep("kHwmzef842g.info", read(source, "tests/data/info-1695928670.json"))


def only(folder, pattern):
    (found,) = folder.glob(pattern)
    return found


def read(source, path):
    """A file of an archive, below the folder that everything in it is in."""
    (found,) = (name for name in source.getnames() if name.partition("/")[2] == path)
    return source.extractfile(found).read()


def answer(source, conversation, place):
    recorded = io.BytesIO(read(source, f"tests/fixtures/japi/{conversation}.yaml"))
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    body = yaml.load(recorded, loader)["interactions"][place]["response"]["body"]["string"]
    body = body.encode() if isinstance(body, str) else body
    return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body


main()
