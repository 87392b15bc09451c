//! `tidings summarize`: its arguments, and what they mean.

use clap::{Arg, ArgMatches, Command};

use super::{address, server, switch};
use crate::client::summarize::{Form, Options};

const EXAMPLES: &str = "\
Examples:
  tidings summarize lecture.vtt
  tidings summarize https://www.youtube.com/watch?v=VIDEO notes.txt
  tidings summarize --playlist https://www.youtube.com/playlist?list=LIST --markdown > talks.md
  some-program | tidings summarize - --json | jq -r .sentences[].text

Files are WebVTT (.vtt), SubRip (.srt) or text. Progress is shown on standard error: bars on a terminal, \
else lines. With --json a line is the summary as the server has it, or id, title, status and error of what \
has none. Ctrl-C cancels what is not done yet. An id that begins with a dash stands after --.

Exit codes: 0 all summarized, 1 something failed or was cancelled, 2 bad arguments.";

pub(in crate::settings) fn summarize() -> Command {
    Command::new("summarize")
        .about("Summarize transcripts and videos")
        .after_help(EXAMPLES)
        .arg(
            Arg::new("sources")
                .value_name("FILE|URL|ID")
                .num_args(1..)
                .required_unless_present("playlist")
                .help("Transcripts, and videos by address or id; - is standard input"),
        )
        .arg(text("playlist", "URL").help("Also the videos of this playlist"))
        .arg(text("model", "NAME").help("What makes the summaries [default: the server's]"))
        .arg(
            text("language", "TAG")
                .help("Captions in this language, such as en [default: the video's own]"),
        )
        .arg(
            address("server", "URL")
                .long("server")
                .help("The server [default: http://127.0.0.1:5001]"),
        )
        .arg(switch("json", "One JSON object to a line, for programs; no progress"))
        .arg(switch("markdown", "Documents to keep").conflicts_with("json"))
        .arg(switch("refresh", "Make everything anew, whatever is known already"))
}

pub(in crate::settings) fn summarize_options(matches: &ArgMatches, colours: bool) -> Options {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let form = match (matches.get_flag("json"), matches.get_flag("markdown")) {
        (true, _) => Form::Json,
        (_, true) => Form::Markdown,
        _ => Form::Text,
    };
    Options {
        server: server(matches, "server"),
        sources: matches.get_many("sources").into_iter().flatten().cloned().collect(),
        playlist: text("playlist"),
        model: text("model"),
        language: text("language"),
        refresh: matches.get_flag("refresh"),
        form,
        colours,
    }
}

fn text(name: &'static str, value_name: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value_name)
}
