from vdata.builder.journal import Journal, last_video


def test_the_last_video_is_known_until_the_task_ends(tmp_path):
    assert last_video(tmp_path, 3) is None
    with Journal(tmp_path, 3) as journal:
        assert last_video(tmp_path, 3) is None
        for number in (10**12, 7):
            journal.note(number)
            assert last_video(tmp_path, 3) == number
        assert last_video(tmp_path, 4) is None
    assert last_video(tmp_path, 3) is None
