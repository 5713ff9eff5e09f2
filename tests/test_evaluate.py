import math

import numpy as np
import pytest
import torch
from torch import nn

from vdata.errors import ConfigError
from vdata.evaluate import (
    Features,
    KnnConfig,
    evaluation_view,
    extract_features,
    knn,
    knn_accuracy,
    knn_report,
    mean_by_group,
)
from vdata.methods.simclr import SimClr, SimClrConfig


def slow_knn(gallery, labels, queries, k, t):
    found = []
    for query in queries.tolist():
        cosines = []
        for row, label in zip(gallery.tolist(), labels.tolist(), strict=True):
            lengths = math.sqrt(sum(x * x for x in row)) * math.sqrt(sum(x * x for x in query))
            cosines.append((sum(x * y for x, y in zip(row, query, strict=True)) / lengths, label))
        votes = {}
        for cosine, label in sorted(cosines, reverse=True)[:k]:
            votes[label] = votes.get(label, 0.0) + math.exp(cosine / t)
        found.append(max(votes, key=votes.get))
    return found


@pytest.mark.parametrize(("k", "t"), [(1, 0.07), (7, 0.07), (7, 10.0), (1000, 0.5)])
def test_knn_against_a_slow_loop(k, t):
    generator = torch.Generator().manual_seed(3)
    gallery = torch.randn(60, 5, generator=generator, dtype=torch.float64)
    queries = torch.randn(25, 5, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, 4, (60,), generator=generator) * 3
    assert knn(gallery, labels, queries, KnnConfig(k, t)).tolist() == slow_knn(gallery, labels, queries, k, t)


def test_the_vote_is_weighted_by_closeness():
    gallery = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.6, 0.8]])
    labels, query = torch.tensor([5, 9, 9]), torch.tensor([[1.0, 0.0]])
    assert knn(gallery, labels, query, KnnConfig(k=3, temperature=0.07)).tolist() == [5]
    assert knn(gallery, labels, query, KnnConfig(k=3, temperature=10.0)).tolist() == [9]


def test_many_queries_come_back_in_order():
    queries = torch.eye(3).repeat(1000, 1)
    assert torch.equal(knn(torch.eye(3), torch.arange(3), queries, KnnConfig(k=1)), torch.arange(3).repeat(1000))


def test_unlabelled_videos_neither_vote_nor_are_asked():
    gallery = Features(torch.eye(3), {"label": torch.tensor([-1, 1, 2])})
    queries = Features(torch.tensor([[1.0, 0.9, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]), {"label": torch.tensor([1, 1, -1])})
    assert knn_accuracy(gallery, queries, config=KnnConfig(k=1)) == 0.5


@pytest.mark.parametrize(("which", "labels"), [("gallery", [[-1, -1], [0, 1]]), ("queries", [[0, 1], [-1, -1]])])
def test_a_side_without_labels_is_an_error(which, labels):
    gallery, queries = (Features(torch.eye(2), {"label": torch.tensor(column)}) for column in labels)
    with pytest.raises(ConfigError, match=f"labelled videos in the {which}"):
        knn_accuracy(gallery, queries)


def test_mean_by_group():
    means = mean_by_group(torch.tensor([[1.0, 0.0], [3.0, 4.0], [7.0, 7.0]]), torch.tensor([1, 1, 0]))
    assert means.tolist() == [[7.0, 7.0], [2.0, 2.0]]


class Table:
    """Five clips of three videos, in an order that is not that of their numbers."""

    index = np.array([14, 10, 12, 13, 11])
    video = np.array([7, 3, 7, 5, 3])

    def column(self, name):
        known = {
            "label": np.array([2, 0, 2, 1, 0], np.int32),
            "scene": np.array([0, 1, 0, -1, 1]),
            "camera": np.array(["pan"] * 5),
        }
        return known[name]


class Batches:
    """Clips whose one pixel value is their own number."""

    index = Table()
    unit = "clip"

    def __init__(self, batches=((13, 10), (14, 12, 11))):
        self.batches = batches

    def __iter__(self):
        for numbers in self.batches:
            idx = torch.tensor(numbers)
            yield {"clip": idx.float().view(-1, 1, 1, 1, 1).expand(-1, 3, 2, 4, 4), "idx": idx, "label": idx}


class MeanColour(nn.Module):
    """The mean colour, plus noise while it trains."""

    num_features = 3

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, clips):
        return self.scale * clips.mean(dim=(2, 3, 4)) + (torch.rand(1) if self.training else 0)


def test_features_are_means_over_the_clips_of_a_video():
    features = extract_features(MeanColour(), Batches(), ("label", "scene"))
    # Videos 3, 5, 7 in turn: clips 10 and 11; 13; 12 and 14.
    assert features.values.tolist() == [[10.5] * 3, [13.0] * 3, [13.0] * 3]
    assert features.labels["label"].tolist() == [0, 1, 2]
    assert features.labels["scene"].tolist() == [1, -1, 0]
    assert not features.values.requires_grad


def test_rows_that_only_fill_a_batch_up_do_not_count():
    class Padded(Batches):
        def __iter__(self):
            for batch in super().__iter__():
                yield {name: torch.cat([tensor, tensor[:2] + (0 if name == "idx" else 50)]) for name, tensor in batch.items()} | {
                    "valid": torch.arange(len(batch["idx"]) + 2) < len(batch["idx"])
                }

    found, expected = extract_features(MeanColour(), Padded()), extract_features(MeanColour(), Batches())
    assert torch.equal(found.values, expected.values)
    assert torch.equal(found.labels["label"], expected.labels["label"])


def test_several_windows_of_a_clip_are_averaged():
    class Windows(Batches):
        def __iter__(self):
            for batch in super().__iter__():
                yield batch | {"clip": torch.stack([batch["clip"] + shift for shift in (-3, 0, 9)], dim=1)}

    found, expected = extract_features(MeanColour(), Windows()), extract_features(MeanColour(), Batches())
    assert torch.allclose(found.values, expected.values + 2)


def test_the_mode_of_the_backbone_is_put_back():
    backbone = MeanColour().train()
    extract_features(backbone, Batches())
    assert backbone.training


def test_a_column_of_text_is_no_label():
    with pytest.raises(ConfigError, match=r"column 'camera' .* must hold integers"):
        extract_features(MeanColour(), Batches(), ("camera",))


def test_a_loader_that_hands_nothing_out_is_an_error():
    with pytest.raises(ConfigError, match="clips to evaluate"):
        extract_features(MeanColour(), Batches(()))


def test_report_has_the_accuracy_of_every_column():
    gallery, queries, columns = Batches(), Batches(((11, 13),)), ("label", "scene")
    report = knn_report(MeanColour(), gallery, queries, columns, KnnConfig(k=1))
    known, asked = (extract_features(MeanColour(), batches, columns) for batches in (gallery, queries))
    assert report == {name: knn_accuracy(known, asked, name, KnnConfig(k=1)) for name in columns}


def test_the_evaluation_view_is_the_first_one_unaugmented():
    view = evaluation_view(SimClr.views(SimClrConfig(frames=8, stride=3, size=48)))
    assert (view.name, view.frames, view.stride, view.size, view.augment, view.start) == ("clip", 8, 3, 48, None, "centre")


@pytest.mark.parametrize("setting", [{"k": 0}, {"temperature": 0.0}])
def test_settings_are_checked(setting):
    with pytest.raises(ConfigError, match=f"knn.{next(iter(setting))}"):
        KnnConfig(**setting)
