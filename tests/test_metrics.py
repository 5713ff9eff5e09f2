import json

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from vdata.metrics import MetricsLog, Stopwatch, read_metrics


def test_records_are_lines_and_curves(tmp_path):
    with MetricsLog(tmp_path, 0) as log:
        log.write({"step": 1, "loss": 2.5})
        log.write({"step": 2, "loss": 1.5})
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"step": 1, "loss": 2.5}, {"step": 2, "loss": 1.5}]
    curves = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(event.step, event.value) for event in curves.Scalars("loss")] == [(1, 2.5), (2, 1.5)]


def test_what_an_interrupted_run_wrote_beyond_its_checkpoint_is_dropped(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 5, "loss": 1.0}\n{"step": 10, "loss": 0.5}\n{"step": 15, "lo')
    assert [record["step"] for record in read_metrics(path)] == [5, 10]
    with MetricsLog(tmp_path, 5) as log:
        log.write({"step": 10, "loss": 0.6})
    assert read_metrics(path) == [{"step": 5, "loss": 1.0}, {"step": 10, "loss": 0.6}]


def test_no_file_has_no_records(tmp_path):
    assert read_metrics(tmp_path / "metrics.jsonl") == []


def test_the_stopwatch_counts_steps_and_waiting(monkeypatch):
    now = iter([100.0, 101.0, 103.0, 103.0, 104.0, 110.0, 110.0, 110.0, 110.0, 115.0, 115.0])
    monkeypatch.setattr("vdata.metrics.time.perf_counter", lambda: next(now))
    stopwatch = Stopwatch()  # at 100
    for _ in range(2):  # waits 101 to 103, 103 to 104
        with stopwatch.waiting():
            pass
    assert stopwatch.read(batch_size=5) == {"samples_per_second": 1.0, "wait_share": 0.3}  # at 110
    with stopwatch.waiting():
        pass
    assert stopwatch.read(batch_size=5) == {"samples_per_second": 1.0, "wait_share": 0.0}
