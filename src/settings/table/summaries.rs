//! The settings of summaries: how they are made and kept.

use super::super::setting::Place::{
    Bytes, Choice as OneOf, Count, Hosts, Milliseconds, Seconds, Secret, Text, Texts,
};
use super::super::setting::{Choice, Setting};
use super::{A_DAY, A_DAY_MS, BILLION, GIBIBYTE, MILLION};

pub(super) static SUMMARIES: &[Setting] = &[
    Setting::new(
        "summarizer",
        OneOf(&[
            Choice { word: "on", choose: |s| s.summarizer = true, is_chosen: |s| s.summarizer },
            Choice { word: "off", choose: |s| s.summarizer = false, is_chosen: |s| !s.summarizer },
        ]),
        "Summaries of talks: the page at / and /api/v1/summaries",
    ),
    Setting::new(
        "summary_model",
        Text(|s| &mut s.summary_model),
        "What makes summaries if a request does not say: extractive, or one of openai_models",
    ),
    Setting::new(
        "summary_workers",
        Count(1..=256, |s| &mut s.summaries.workers),
        "Talks that are summarized at the same time, unless the section [queue.summarize] says otherwise",
    ),
    Setting::new(
        "summary_queue_items",
        Count(0..=MILLION, |s| &mut s.summaries.queue_items),
        "Talks that may wait for a worker, unless the section [queue.summarize] says otherwise; 0 is no limit",
    ),
    Setting::new(
        "summary_queue_bytes",
        Bytes(0..=1024 * GIBIBYTE, |s| &mut s.library.max_upload_bytes),
        "Bytes of transcripts that may wait for a worker; 0 is no limit",
    ),
    Setting::new(
        "max_transcripts",
        Count(0..=MILLION, |s| &mut s.summaries.max_transcripts),
        "Transcripts in one request; 0 is no limit",
    ),
    Setting::new(
        "max_transcript_bytes",
        Bytes(0..=GIBIBYTE, |s| &mut s.summaries.max_transcript_bytes),
        "Size of one transcript; 0 is no limit",
    ),
    Setting::new(
        "max_summary_items",
        Count(0..=MILLION, |s| &mut s.summaries.max_items),
        "Talks in one request, those of a playlist included; 0 is no limit",
    ),
    Setting::new(
        "kept_summaries",
        Count(0..=MILLION, |s| &mut s.library.max_summaries),
        "Summaries that are kept, the newest; 0 is no limit",
    ),
    Setting::new(
        "kept_summary_bytes",
        Bytes(0..=1024 * GIBIBYTE, |s| &mut s.library.max_summary_bytes),
        "Bytes of summaries that are kept; 0 is no limit",
    ),
    Setting::new(
        "kept_transcript_bytes",
        Bytes(0..=1024 * GIBIBYTE, |s| &mut s.library.max_transcript_bytes),
        "Bytes of transcripts that are kept, compressed; 0 is no limit",
    ),
    Setting::new(
        "kept_summary_seconds",
        Seconds(0..=BILLION, |s| &mut s.library.summary_age),
        "How long a summary is kept; 0 is for ever",
    ),
    Setting::new(
        "kept_batch_items",
        Count(0..=MILLION, |s| &mut s.summaries.kept_items),
        "Items of ended batches that can still be asked for; 0 is no limit",
    ),
    Setting::new(
        "summary_percent",
        Count(0..=100, |s| &mut s.summary_length.percent),
        "Share of a talk's sentences that becomes its summary; 0 gives the fewest allowed",
    ),
    Setting::new(
        "summary_min_sentences",
        Count(1..=MILLION, |s| &mut s.summary_length.min_sentences),
        "The fewest sentences of a summary, if the talk has as many",
    ),
    Setting::new(
        "summary_max_sentences",
        Count(0..=MILLION, |s| &mut s.summary_length.max_sentences),
        "The most sentences of a summary; 0 is no limit",
    ),
    Setting::new(
        "summary_report_ms",
        Milliseconds(A_DAY_MS, |s| &mut s.summaries.report_pause),
        "Pause between two reports on a talk that takes long; 0 reports every step",
    ),
    Setting::new(
        "summary_patience_seconds",
        Seconds(A_DAY, |s| &mut s.summaries.report_patience),
        "How long a worker tries to report an end while the hub is busy; 0 tries once",
    ),
];

pub(super) static VIDEOS: &[Setting] = &[
    Setting::new(
        "yt_dlp",
        Text(|s| &mut s.videos.yt_dlp),
        "The program that looks videos up, a name or a path; empty is no videos",
    ),
    Setting::new(
        "video_hosts",
        Hosts(|s| &mut s.videos.hosts),
        "Hosts that may be asked for videos, as in fetch_hosts; also those that a video leads to",
    ),
    Setting::new(
        "video_timeout_seconds",
        Seconds(A_DAY, |s| &mut s.videos.timeout),
        "How long it may take to look up a video or a playlist, or to fetch captions; 0 is no limit",
    ),
    Setting::new(
        "max_video_answer_bytes",
        Bytes(0..=GIBIBYTE, |s| &mut s.videos.max_answer_bytes),
        "Size of what is known of a video or a playlist, and of captions; 0 is no limit",
    ),
    Setting::new(
        "max_playlist_videos",
        Count(0..=MILLION, |s| &mut s.videos.max_playlist_videos),
        "Videos of a playlist that are taken, the first; 0 is no limit",
    ),
    Setting::new(
        "playlist_lookups",
        Count(1..=256, |s| &mut s.summaries.lookups),
        "Playlists that are looked up at the same time",
    ),
    Setting::new(
        "caption_language",
        Text(|s| &mut s.videos.language),
        "The language of captions if neither the request nor the video says one; empty is any",
    ),
    Setting::new(
        "video_cache_seconds",
        Seconds(0..=BILLION, |s| &mut s.library.video_age),
        "How long a video is not looked up again; 0 always looks it up",
    ),
];

pub(super) static MODELS: &[Setting] = &[
    Setting::new(
        "openai_base_url",
        Text(|s| &mut s.models.base_url),
        "Where language models are asked: the address before /chat/completions",
    )
    .also("OPENAI_BASE_URL"),
    Setting::new(
        "openai_api_key",
        Secret(|s| &mut s.models.api_key),
        "What says there who asks; everyone on this machine sees flags, so set the variable; empty is none",
    )
    .also("OPENAI_API_KEY"),
    Setting::new(
        "openai_models",
        Texts(|s| &mut s.models.models),
        "The models that summaries can be made by; an empty list is none",
    ),
    Setting::new(
        "openai_stream",
        OneOf(&[
            Choice {
                word: "on",
                choose: |s| s.models.stream = true,
                is_chosen: |s| s.models.stream,
            },
            Choice {
                word: "off",
                choose: |s| s.models.stream = false,
                is_chosen: |s| !s.models.stream,
            },
        ]),
        "Whether answers come piece by piece, so that progress shows",
    ),
    Setting::new(
        "openai_context_tokens",
        Count(1_000..=BILLION, |s| &mut s.models.context_tokens),
        "Tokens that fit into a question and its answer together; longer talks are summarized in parts",
    ),
    Setting::new(
        "openai_max_answer_tokens",
        Count(100..=BILLION, |s| &mut s.models.max_answer_tokens),
        "Tokens that an answer may have",
    ),
    Setting::new(
        "openai_timeout_seconds",
        Seconds(A_DAY, |s| &mut s.models.timeout),
        "How long one summary may take, pauses included; 0 is no limit but that of the queue",
    ),
    Setting::new(
        "openai_request_timeout_seconds",
        Seconds(1..=86_400, |s| &mut s.models.request_timeout),
        "How long one answer may take",
    ),
    Setting::new(
        "openai_attempts",
        Count(1..=100, |s| &mut s.models.attempts),
        "How often a question is asked that fails for now (429, 5xx, the network)",
    ),
    Setting::new(
        "openai_max_requests",
        Count(0..=MILLION, |s| &mut s.models.max_requests),
        "Questions about one talk, which is what bounds its cost; 0 is no limit",
    ),
    Setting::new(
        "openai_prompt_price_micros",
        Count(0..=1_000_000_000_000, |s| &mut s.models.prompt_price_micros),
        "What a million tokens cost that the model reads, in millionths of your currency; 0 is nothing",
    ),
    Setting::new(
        "openai_answer_price_micros",
        Count(0..=1_000_000_000_000, |s| &mut s.models.answer_price_micros),
        "The same of those that it writes",
    ),
];
