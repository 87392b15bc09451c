"""What schemathesis cannot know.

Requests that it invents are given something to be about: every other one names a job, a queue, a stream or
a batch that is there. The rest keep what was invented, and mostly find nothing.

And answers are read strictly. For clients the document's objects are open, because later versions may say
more; here a member that the document does not have is a mistake in the document.
"""

import itertools
import json

import requests
import schemathesis

# One connection for all of this.
client = requests.Session()
numbers = itertools.count()
# Streams that are held open, by the server they are on.
streams = {}


def post(url, body):
    answer = client.post(url, json=body, timeout=10)
    answer.raise_for_status()
    return answer.json() if answer.content else {}


def job(api):
    return {"jobId": post(f"{api}/jobs", {"keywords": ["rust"]})["jobId"]}


def failed_job(api):
    """A job of a queue that has failed for good."""
    made = post(f"{api}/queue/add", {"queueName": "failing", "jobName": "fail", "priority": 0})
    post(f"{api}/jobs/{made['jobId']}/status", {"status": "failed", "error": "no paper"})
    return {"jobId": made["jobId"]}


def queue(api):
    """A queue in which there is a job."""
    return {"queueName": post(f"{api}/queue/add", {"queueName": "mail", "jobName": "welcome"})["queueName"]}


def stream(api):
    """A stream whose subscriptions can be changed."""
    if api not in streams:
        answer = requests.get(f"{api}/sse/connect", stream=True, timeout=10)
        lines = answer.iter_lines(decode_unicode=True, chunk_size=1)
        connected = next(line for line in lines if line.startswith("data: "))
        # Without its lines the stream would be closed.
        streams[api] = json.loads(connected.removeprefix("data: "))["connectionId"], lines
    return {"connectionId": streams[api][0], "id": f"hooks-{next(numbers)}"}


def transcript(api):
    """What was sent to be summarized, by this session."""
    text = f"Tea is made of leaves. There are {next(numbers)} hills. Rain is frequent there."
    return post(f"{api}/summaries?session_id=hooks", {"transcripts": [{"text": text}]})


def batch(api):
    """A batch of two jobs."""
    return {"batchId": post(f"{api}/batches", {"jobs": [{"request": {}}, {"request": {}, "weight": 2}]})["batchId"]}


def summary_batch(api):
    return {"id": transcript(api)["batch_id"]}


def summary(api):
    return {"id": transcript(api)["items"][0]["id"]}


# By the pattern of the path, the longer one first.
MAKERS = [
    ("/api/v1/jobs/{jobId}/retry", failed_job),
    ("/api/v1/jobs/{jobId}", job),
    ("/api/v1/queues/{queueName}", queue),
    ("/api/v1/sse/{connectionId}", stream),
    ("/api/v1/batches/{batchId}", batch),
    ("/api/v1/summaries/batches/{id}", summary_batch),
    ("/api/v1/summaries/{id}", summary),
]


@schemathesis.hook
def before_call(context, case, kwargs):
    if not (case.meta and case.meta.generation.mode.is_positive):
        return
    # A name that was taken would be all that there is to say.
    if case.headers and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = f"hooks-{next(numbers)}"
        if isinstance(case.body, dict) and isinstance(case.body.get("jobId"), str):
            case.body["jobId"] = f"hooks-{next(numbers)}"
    make = next((make for pattern, make in MAKERS if case.path.startswith(pattern)), None)
    if not make or next(numbers) % 2:
        return
    made = make(f"{case.operation.base_url.rstrip('/')}/api/v1")
    # All of them: one that was invented is written for an address already, and would be judged as such.
    case.path_parameters.update({name: made[name] for name in made if name in case.path_parameters})
    if "/summaries/" in case.path:
        case.query = {**(case.query or {}), "session_id": "hooks"}


@schemathesis.hook
def before_load_schema(context, raw_schema):
    for path in raw_schema["paths"].values():
        for operation in path.values():
            if "responses" in operation:
                close(operation["responses"])
    # Lists in answers; what requests may have is closed anyway.
    close(raw_schema["components"]["schemas"])


def close(value):
    """Allows no members but those that are named: in what an answer is, and in what its lists hold."""
    if isinstance(value, list):
        for inner in value:
            close(inner)
    if not isinstance(value, dict):
        return
    for name, inner in value.items():
        if name == "x-events":
            continue
        close(inner)
        is_whole = name in ("schema", "items") and isinstance(inner, dict)
        if is_whole and ("$ref" in inner or "allOf" in inner or "properties" in inner):
            value[name] = {"allOf": [inner], "unevaluatedProperties": False}
