//! Models that want to be left alone for a while.

use super::*;

#[test]
fn a_model_is_asked_again_when_it_wants_to_be() {
    let mut bench = Bench::slow(&Limits::default());
    bench.submit("me", talks(&["haste"])).unwrap();
    bench.let_all();
    let waiting = json_of(&bench.until("stage", "waiting"));
    assert_eq!(waiting["message"], "On haste: Attempt 2 of 3 begins in 600.0 s: not now");
}
