from hypothesis import given
from hypothesis import strategies as st

from databox.export.states import BACK_OFF_S, Outcome, State, after, found_at_start, of_2017


def test_a_good_answer_is_sent():
    assert after(Outcome(204, "", sent=True), 1, idempotent=False).state is State.SENT


def test_a_refusal_is_final():
    assert after(Outcome(403, "", sent=True), 1, idempotent=False).state is State.FAILED


def test_no_connection_is_tried_again_with_longer_pauses_then_fails():
    waits = [after(Outcome(0, "", sent=False), n, idempotent=False).wait for n in range(1, 6)]
    assert tuple(waits) == BACK_OFF_S
    assert after(Outcome(0, "", sent=False), 6, idempotent=False).state is State.FAILED


def test_silence_after_sending_is_unknown_unless_repeats_are_taken():
    silent = Outcome(0, "", sent=True)
    assert after(silent, 1, idempotent=False).state is State.UNKNOWN
    assert after(silent, 1, idempotent=True).state is State.RETRYING


def test_an_export_that_was_being_sent_when_the_box_fell_is_unknown():
    assert found_at_start(State.SENDING) is State.UNKNOWN
    assert found_at_start(State.QUEUED) is State.QUEUED


@given(st.integers(100, 599), st.integers(1, 20))
def test_every_answer_leads_somewhere_and_tries_are_bounded(status, tries):
    following = after(Outcome(status, "", sent=True), tries, idempotent=False)
    assert following.state in (State.SENT, State.FAILED, State.RETRYING)
    assert tries <= len(BACK_OFF_S) or following.state is not State.RETRYING


def test_the_words_of_2017():
    assert [of_2017(s) for s in (State.QUEUED, State.RETRYING, State.SENT)] == [
        "Pending",
        "Processing",
        "Finished",
    ]
