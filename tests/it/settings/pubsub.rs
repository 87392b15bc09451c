//! Who may push, and what is taken.

use super::{check, check_refused, file, flags, variables};

#[test]
fn pushes_are_guarded_only_if_it_is_said_for_whom_the_tokens_are() {
    let contradiction = "pubsub_auth = oidc needs pubsub_audience, or a token that was made for calling \
                         somebody else would do";
    check_refused(flags(&["--pubsub-auth", "oidc"]), &[contradiction]);
    let typed = flags(&["--pubsub-auth", "oidc", "--pubsub-audience", "https://a.example/push"]);
    check(typed, "pubsub_audience = \"https://a.example/push\" # flag --pubsub-audience");
    check(typed, "pubsub_jwks = \"https://www.googleapis.com/oauth2/v3/certs\" # default");
    let issuers =
        "pubsub_issuers = [\"https://accounts.google.com\", \"accounts.google.com\"] # default";
    check(typed, issuers);
    let typed =
        file("pubsub_issuers = [\"https://issuer.example\"]\npubsub_jwks = \"keys.json\"\n");
    check(typed, "pubsub_issuers = [\"https://issuer.example\"] # tidings.toml, line 1");
    check(typed, "pubsub_jwks = \"keys.json\" # tidings.toml, line 2");
    check_refused(
        flags(&["--pubsub-jwks", "ftp://a/keys"]),
        &[
            "flag --pubsub-jwks: pubsub_jwks must be an http:// or https:// address, or the path of a file, \
           not \"ftp://a/keys\"",
        ],
    );
}

#[test]
fn the_seeds_variables_name_the_subscription() {
    let typed = variables(&[
        ("GOOGLE_CLOUD_PROJECT_ID", "your-project-id"),
        ("PUBSUB_STATUS_UPDATES_SUBSCRIPTION", "sse-service-subscription"),
    ]);
    check(
        typed,
        "pubsub_project = \"your-project-id\" # environment variable GOOGLE_CLOUD_PROJECT_ID",
    );
    check(
        typed,
        "pubsub_subscription = \"sse-service-subscription\" # environment variable \
         PUBSUB_STATUS_UPDATES_SUBSCRIPTION",
    );
}
