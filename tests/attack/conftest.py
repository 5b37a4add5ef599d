"""Tiny vision-language models in real formats, and an album of people who are colours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from fiftyone_dp2vl.attack import AlbumPhoto, AttackAlbum, Conversation, FineTuneConfig, Question
from fiftyone_dp2vl.attack.settings import AttackConfig

transformers = pytest.importorskip("transformers")
pytest.importorskip("peft")

COLOURS = {"Ada": (200, 40, 40), "Bob": (40, 190, 60), "Cy": (50, 70, 210), "Dee": (210, 200, 60)}
FACTS = {
    "Ada": {"vehicle": "a red car", "pet": "a dog"},
    "Bob": {"vehicle": "a bicycle", "pet": "an orange cat"},
    "Cy": {"vehicle": "a canoe", "pet": "a duck"},
}
CHOICES = {
    "vehicle": ("a red car", "a bicycle", "a canoe", "a tractor"),
    "pet": ("a dog", "an orange cat", "a duck", "a goat"),
}
WORDS = "USER: ASSISTANT: Who is this? What does this person drive? Which pet . , !"
QUICK = FineTuneConfig(
    epochs=8, batch_size=6, learning_rate=2e-2, lora_rank=4, lora_alpha=8, precision="fp32"
)
"""Enough for a tiny model to learn something."""

RECIPE = {
    "epochs": 4,
    "batch_size": 6,
    "learning_rate": 2e-2,
    "lora_rank": 4,
    "lora_alpha": 8,
    "precision": "fp32",
}
"""The same for whole evaluations."""

VISION = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 8,
}
TEXT = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    # Untrained, so that adapters have something to adapt.
    "initializer_range": 0.3,
}
TEMPLATE = (
    "{% for m in messages %}USER: {% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<image>\n{% else %}{{ c['text'] }}{% endif %}{% endfor %}"
    "{% endfor %}{% if add_generation_prompt %} ASSISTANT:{% endif %}"
)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


def build_tokenizer(sentences: Sequence[str] = (), extra: Sequence[str] = ("<image>",)) -> Any:
    """A tokenizer of whole words and, for other words, of letters."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

    phrases = (phrase for choices in CHOICES.values() for phrase in choices)
    said = " ".join([*sentences, *COLOURS, *phrases, WORDS])
    splitter = pre_tokenizers.Whitespace()
    words = sorted({word for word, _ in splitter.pre_tokenize_str(said)})
    letters = [chr(i) for i in range(97, 123)] + [chr(i) for i in range(65, 91)]
    special = ["<pad>", "<unk>", "<s>", "</s>", *extra]
    tokens = [*special, *words, *letters, *("##" + letter for letter in letters)]
    vocabulary = {word: i for i, word in enumerate(dict.fromkeys(tokens))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = splitter
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", vocabulary["<s>"])]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        additional_special_tokens=list(extra),
    )


def build_llava(folder: Path, kind: str = "llava", tower: str = "clip") -> str:
    """Saves a tiny LLaVA, or LLaVA-NeXT, as transformers does; returns its attacker's name."""
    torch.manual_seed(1)
    tokenizer = build_tokenizer()
    towers = {"clip": transformers.CLIPVisionConfig, "siglip": transformers.SiglipVisionConfig}
    strategy = "default" if tower == "clip" else "full"
    common: dict[str, Any] = {
        "vision_config": towers[tower](**VISION),
        "text_config": transformers.LlamaConfig(
            **TEXT, vocab_size=len(tokenizer), bos_token_id=2, eos_token_id=3, pad_token_id=0
        ),
        "vision_feature_layer": -2,
        "vision_feature_select_strategy": strategy,
        "image_token_id": tokenizer.convert_tokens_to_ids("<image>"),
    }
    written: dict[str, Any] = {
        "tokenizer": tokenizer,
        "patch_size": 8,
        "vision_feature_select_strategy": strategy,
        "num_additional_image_tokens": int(tower == "clip"),
        "chat_template": TEMPLATE,
    }
    sizes = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    if kind == "llava_next":
        pinpoints = [[32, 64], [64, 32], [64, 64]]
        config = transformers.LlavaNextConfig(**common, image_grid_pinpoints=pinpoints)
        model = transformers.LlavaNextForConditionalGeneration(config)
        images = transformers.LlavaNextImageProcessor(**sizes, image_grid_pinpoints=pinpoints)
        processor = transformers.LlavaNextProcessor(image_processor=images, **written)
    else:
        model = transformers.LlavaForConditionalGeneration(transformers.LlavaConfig(**common))
        if tower == "clip":
            images = transformers.CLIPImageProcessor(**sizes)
        else:
            images = transformers.SiglipImageProcessor(size={"height": 32, "width": 32})
        processor = transformers.LlavaProcessor(image_processor=images, **written)
    model.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    return f"llava:{folder}"


@pytest.fixture(scope="session")
def tiny_llava(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a tiny LLaVA with random weights."""
    return build_llava(tmp_path_factory.mktemp("vlm") / "llava")


@pytest.fixture(scope="session")
def tiny_llava_next(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a tiny LLaVA-NeXT with random weights."""
    return build_llava(tmp_path_factory.mktemp("vlm") / "llava_next", "llava_next")


def paint(person: str, number: int) -> Image.Image:
    """A photo: the person is the colour; its shape changes from photo to photo."""
    rng = np.random.default_rng([number, list(COLOURS).index(person)])
    coarse = rng.normal(0, 20, (6, 8, 3)) + np.array(COLOURS[person])
    image = Image.fromarray(coarse.clip(0, 255).astype(np.uint8))
    return image.resize(((80, 64), (64, 80), (64, 64))[number % 3], Image.Resampling.BICUBIC)


@pytest.fixture(scope="session")
def make_llava() -> Callable[..., str]:
    """Builds tiny LLaVA models: (folder, kind, tower) to an attacker's name."""
    return build_llava


@pytest.fixture(scope="session")
def recipe() -> FineTuneConfig:
    """Enough for a tiny model to learn something."""
    return QUICK


@pytest.fixture
def album(tmp_path: Path) -> AttackAlbum:
    """Three people with four shared photos and two query photos, and a stranger."""
    photos = []
    folder = tmp_path / "album"
    folder.mkdir()
    for person in COLOURS:
        for number in range(6):
            role = "other" if person == "Dee" else "share" if number < 4 else "query"
            scenario = ("vehicle", "pet")[number % 2] if role == "share" else ""
            fact = FACTS[person][scenario] if scenario else ""
            key = f"{len(photos):03d}"
            path = folder / f"{key}.png"
            paint(person, number).save(path)
            told = (f"{person} has {fact}.",) if fact else ()
            photos.append(AlbumPhoto(key, path, person, role, scenario, fact, told))
    asked = {
        "vehicle": ("What does {name} drive?", "Which vehicle does {name} have?"),
        "pet": ("Which pet does {name} have?",),
    }
    return AttackAlbum(tuple(photos), FACTS, CHOICES, asked)


@pytest.fixture
def pictures(album: AttackAlbum) -> Callable[[str], Image.Image]:
    """Gives the album's photos by key."""
    paths = {photo.key: photo.path for photo in album.photos}
    return lambda key: Image.open(paths[key]).convert("RGB")


@pytest.fixture
def lessons(album: AttackAlbum) -> list[Conversation]:
    """A few conversations about the shared photos."""
    said = []
    for photo in album.of("share"):
        said.append(Conversation(photo.key, "Who is this?", photo.person, "name"))
        question = {"vehicle": "What does this person drive?", "pet": "Which pet is this?"}
        said.append(
            Conversation(
                photo.key,
                question[photo.scenario],
                photo.affiliation,
                "affiliation",
                photo.scenario,
            )
        )
    return said


@pytest.fixture
def asked(album: AttackAlbum) -> list[Question]:
    """A name and two facts, asked of every query photo."""
    texts = {"vehicle": "What does this person drive?", "pet": "Which pet is this?"}
    said = []
    for photo in album.of("query"):
        who, people = photo.person, tuple(album.people)
        said.append(Question(photo.key, who, "name", "", "Who is this?", who, people))
        said += [
            Question(photo.key, who, "affiliation", s, t, FACTS[who][s], CHOICES[s])
            for s, t in texts.items()
        ]
    return said


@pytest.fixture
def protected(album: AttackAlbum, tmp_path: Path) -> dict[str, Path]:
    """The shared photos in other people's colours."""
    folder = tmp_path / "protected"
    folder.mkdir()
    files = {}
    for photo in album.of("share"):
        pixels = np.asarray(Image.open(photo.path).convert("RGB"))
        files[photo.key] = folder / photo.path.name
        Image.fromarray(np.ascontiguousarray(np.roll(pixels, 1, axis=2))).save(files[photo.key])
    return files


@pytest.fixture
def config(tiny_llava: str, tiny_encoder: str) -> AttackConfig:
    return AttackConfig(
        attackers=(tiny_llava,),
        proxies=(f"proxy:linear@{tiny_encoder}",),
        finetune=RECIPE,
        epochs_measured=2,
    )
