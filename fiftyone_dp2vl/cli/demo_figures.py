"""The demo's figures: who can still be recognised on new photos, by whom."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_SEED = 0


def print_figures(dataset: Any, record: Any) -> None:
    """Prints what an identity probe learns from the shared photos of a demo.

    The probe is trained on the shared photos' embeddings and asked who is on *other*, clean
    photos of the same people.

    Args:
        dataset: the demo's
        record: its run's
    """
    from ..encoders import default_device
    from ..measure import directional_consistency, identity_probe

    (encoder,) = record.protection.encoders
    names = record.names
    share, query = dataset.match_tags("share"), dataset.match_tags("query")
    clean, protected, people, psnr, ssim, linf = share.exists(
        names.protected_embedding(encoder)
    ).values(
        [
            names.clean_embedding(encoder),
            names.protected_embedding(encoder),
            "identity",
            names.psnr,
            names.ssim,
            names.linf,
        ]
    )
    asked, truth = query.values([f"dp2vl_{names.slugs[encoder]}_clean", "identity"])
    noise = _noised(share, record, encoder, default_device())
    rows = [
        ("clean photos", np.stack(clean)),
        (f"random noise, {record.protection.epsilon:g}/255", noise),
        (f"protected, {record.protection.epsilon:g}/255", np.stack(protected)),
    ]
    print()
    print(f"{len(clean)} shared photos of {len(set(people))} people; {len(truth)} query photos")
    print(f"  {'probe trained on':<24} {'recognised':>10} {'commonest wrong name':>22}")
    for label, vectors in rows:
        found = identity_probe(vectors, people, np.stack(asked), truth)
        print(f"  {label:<24} {found.accuracy:>10.1%} {found.commonest_wrong:>22.1%}")
    print(f"  {'chance':<24} {1 / len(set(people)):>10.1%}")
    consistency = directional_consistency(np.stack(clean), np.stack(protected))
    print(f"  shifts agree in direction: {consistency:.2f} (1 = all the same)")
    print(
        f"  measured on the files: L-inf at most {max(linf):g}/255, "
        f"PSNR {np.mean([x for x in psnr if x is not None]):.1f} dB, SSIM {np.mean(ssim):.3f}"
    )
    print("  This holds for an attacker with this very encoder. See the README for others.")
    print()


def _noised(view: Any, record: Any, encoder: str, device: str) -> NDArray[np.float32]:
    """Returns embeddings of the photos with random-sign noise of the run's budget."""
    import torch

    from ..encoders import load_encoder
    from ..media import read_photo

    model = load_encoder(encoder, device=device)
    size = int(record.protection.epsilon)
    vectors = []
    for row, path in enumerate(view.values("filepath")):
        pixels = read_photo(path).pixels
        signs = np.random.default_rng([_SEED, row]).integers(0, 2, pixels.shape) * 2 - 1
        noisy = np.clip(pixels.astype(np.int16) + size * signs, 0, 255).astype(np.float32) / 255
        with torch.inference_mode():
            image = torch.from_numpy(noisy).permute(2, 0, 1).to(device)
            vectors.append(model([image]).pooled[0].float().cpu().numpy())
    return np.stack(vectors)
