import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from mammoscope.config import AugmentConfig
from mammoscope.data.batches import Batches, into_uint16, plain_batches, to_inputs, train_batches
from mammoscope.data.draws import Pick, build_draws
from mammoscope.data.preprocess import FULL_SCALE
from mammoscope.data.store import StoreRow, finish_store, open_store, write_shard
from mammoscope.records import Sample, StoredImage
from mammoscope.vocabulary import AbnormalityKind, Laterality, Partition, Sampling, View

AUGMENT = AugmentConfig(
    name="default",
    flip_horizontal=0.5,
    flip_vertical=0.5,
    rotate_deg=25,
    scale_fraction=0.2,
    translate_fraction=0.05,
    brightness_fraction=0.1,
    contrast_fraction=0.1,
)
SAMPLES = 23


def a_sample(number: int, store: str) -> Sample:
    return Sample(
        id=f"s{number}",
        patient=f"P_{number:05d}",
        laterality=Laterality.left,
        views=(View.CC,),
        kinds=(AbnormalityKind.mass,),
        films=(f"{number:032x}",),
        published=Partition.train,
        target=number % 2,
        malignant=number % 2,
        abnormalities=(f"s{number}",),
        density=2,
        images=(StoredImage(store, number),),
    )


@pytest.fixture
def prepared(tmp_path: Path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "store" / "mass-CC"
    folder.mkdir(parents=True)
    for shard, numbers in enumerate([range(15), range(15, SAMPLES)]):
        images = rng.integers(0, 65536, (len(numbers), 24, 20), dtype=np.uint16)
        masks = np.zeros(images.shape, bool)
        masks[:, 4:9, 3:13] = True
        rows = [
            StoreRow(
                id=f"s{n}",
                mammogram=f"m{n}",
                film=f"{n:032x}",
                shard=shard,
                row=place,
                mirrored=False,
                chest_wall_agrees=True,
                enlarged=1.0,
                top_px=0,
                left_px=0,
                height_px=24,
                width_px=20,
            )
            for place, n in enumerate(numbers)
        ]
        write_shard(folder, shard, images, masks, rows, [])
    finish_store(folder, 2, 20)
    store = open_store(folder)
    return [a_sample(n, store.name) for n in range(SAMPLES)], {store.name: store}


def training(prepared, *, batch_size: int = 5, workers: int = 0, seed: int = 1, sampling=Sampling.uniform) -> Batches:
    samples, stores = prepared
    draws = build_draws(samples, sampling, seed)
    return train_batches(samples, stores, AUGMENT, draws, batch_size=batch_size, workers=workers, seed=seed, pin=False)


def gathered(batches, epoch: int) -> dict[int, np.ndarray]:
    return {
        int(index): image.numpy().copy()
        for batch in batches.epoch(epoch)
        for index, image in zip(batch.indices, batch.images, strict=True)
    }


def test_plain_batches_hand_over_what_was_stored_in_order(prepared):
    samples, stores = prepared
    batches = list(plain_batches(samples, stores, batch_size=5, pin=False).epoch(0))
    assert [len(batch.targets) for batch in batches] == [5, 5, 5, 5, 3]
    assert torch.cat([batch.indices for batch in batches]).tolist() == list(range(SAMPLES))
    assert batches[0].images.dtype is torch.uint16
    assert batches[0].images.shape == (5, 1, 24, 20)
    store = next(iter(stores.values()))
    np.testing.assert_array_equal(batches[3].images[2, 0].numpy(), store.image(17))
    assert batches[0].targets.tolist() == [0, 1, 0, 1, 0]


def test_uint16_becomes_float_in_zero_to_one_without_loss():
    whole = torch.arange(65536, dtype=torch.int32).to(torch.uint16).reshape(1, 1, 256, 256)
    floats = to_inputs(whole, torch.device("cpu"))
    assert floats.dtype is torch.float32
    assert floats.min() == 0
    assert floats.max() == 1
    assert torch.equal((floats * 65535).round().to(torch.int32).flatten(), torch.arange(65536, dtype=torch.int32))


def test_an_augmented_sample_depends_on_seed_epoch_index_and_repeat_alone(prepared):
    def epoch(number: int, *, workers: int = 0, batch_size: int = 5, seed: int = 1):
        batches = training(prepared, batch_size=batch_size, workers=workers, seed=seed)
        return gathered(batches, number)

    reference = epoch(3)
    for other in (epoch(3, workers=2), epoch(3, batch_size=7)):
        assert other.keys() == reference.keys()
        for index, image in reference.items():
            np.testing.assert_array_equal(other[index], image)
    assert not np.array_equal(epoch(4)[0], reference[0])
    assert not np.array_equal(epoch(3, seed=2)[0], reference[0])
    look = training(prepared).images.look
    np.testing.assert_array_equal(look(Pick(3, 0))[0], reference[0][0])
    np.testing.assert_array_equal(look(Pick(3, 0, 1))[0], look(Pick(3, 0, 1))[0])
    assert not np.array_equal(look(Pick(3, 0, 1))[0], reference[0][0])


@pytest.mark.parametrize("sampling", Sampling)
def test_batches_are_the_same_whatever_the_number_of_workers(prepared, sampling):
    alone = training(prepared, sampling=sampling)
    for workers in (1, 2):
        helped = training(prepared, workers=workers, sampling=sampling)
        for number in (2, 0):  # in any order: an epoch is no state
            for here, there in zip(alone.epoch(number), helped.epoch(number), strict=True):
                assert torch.equal(here.indices, there.indices)
                assert torch.equal(here.targets, there.targets)
                assert torch.equal(here.images, there.images)


def test_an_epoch_that_was_left_in_the_middle_leaves_nothing_behind(prepared):
    alone, helped = training(prepared, batch_size=2), training(prepared, batch_size=2, workers=2)
    next(iter(helped.epoch(0)))
    for index, image in gathered(alone, 1).items():
        np.testing.assert_array_equal(gathered(helped, 1)[index], image)


def test_a_batch_stays_what_it_is_when_later_ones_arrive(prepared):
    batches = list(training(prepared, batch_size=2, workers=1).epoch(0))
    for batch, again in zip(batches, training(prepared, batch_size=2).epoch(0), strict=True):
        assert torch.equal(batch.images, again.images)


def test_images_go_to_another_process_by_the_path_of_their_store(prepared):
    images, (_, stores) = training(prepared).images, prepared
    sent = pickle.dumps(images)
    assert next(iter(stores.values())).image(4).tobytes() not in sent
    np.testing.assert_array_equal(pickle.loads(sent).look(Pick(1, 4))[0], images.look(Pick(1, 4))[0])


def test_augmented_floats_are_rounded_as_numpy_rounds_them():
    """The one pass of OpenCV against numpy's four, with ties, ends and what lies beyond them."""
    ties = (np.arange(4096, dtype=np.float32) + np.float32(0.5)) / np.float32(FULL_SCALE)
    floats = np.concatenate([np.linspace(-0.2, 1.2, 61440, dtype=np.float32), ties]).reshape(256, 256)
    rounded = np.empty((256, 256), np.uint16)
    into_uint16(floats, rounded)
    np.testing.assert_array_equal(rounded, np.rint(np.clip(floats, 0, 1) * np.float32(FULL_SCALE)).astype(np.uint16))


def test_every_epoch_has_every_sample_in_another_order(prepared):
    batches = training(prepared, batch_size=4, workers=0, seed=0)
    orders = [[int(i) for batch in batches.epoch(n) for i in batch.indices] for n in range(3)]
    assert all(sorted(order) == list(range(SAMPLES)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3


def test_a_last_batch_of_one_is_left_out_in_training_only(prepared):
    samples, stores = prepared
    train = training(prepared, batch_size=11, workers=0, seed=0)
    assert [len(batch.targets) for batch in train.epoch(0)] == [11, 11]
    plain = plain_batches(samples, stores, batch_size=11, pin=False)
    assert [len(batch.targets) for batch in plain.epoch(0)] == [11, 11, 1]


def test_workers_persist_and_follow_the_epoch(prepared):
    batches = training(prepared, batch_size=5, workers=2, seed=1)
    alone = training(prepared, batch_size=5, workers=0, seed=1)
    for number in (0, 1):
        with_workers, without = gathered(batches, number), gathered(alone, number)
        for index, image in without.items():
            np.testing.assert_array_equal(with_workers[index], image)


def test_the_mask_is_moved_with_its_image(prepared):
    batches = training(prepared, batch_size=5, workers=0, seed=1)
    image, mask = batches.images.look(Pick(2, 7), with_mask=True)
    np.testing.assert_array_equal(image, gathered(batches, 2)[7][0])
    assert mask.shape == image.shape
    assert 20 < mask.sum() < 120
