"""Given names for synthetic people, from many languages.

Names are single words so that a small word-level vocabulary can hold them. They are dealt
out by seed; no name is ever derived from a file name or from how a person looks.
"""

from __future__ import annotations

_GIVEN = """
    Ada Aiko Alma Amara Anders Anouk Anton Aria Arjun Astrid Axel Bao Beatriz Bela Birgit Boris
    Bruno Camila Carlos Cedric Chloe Clara Cosima Dalia Dario Delia Diego Dina Edda Elias Elif
    Elena Emil Enzo Erik Esme Esra Etta Fabio Farah Felix Fiona Flora Franz Freya Gala Georg Gina
    Greta Gunnar Hana Haruki Hedda Hugo Ida Idris Ilse Imani Ines Ingrid Irene Isa Ivan Ivo Jamal
    Jana Jasper Joana Jonas Juno Kaito Kamal Karim Katya Keiko Kenji Kira Kofi Lars Laszlo Leila
    Lena Leo Lina Linus Livia Lorenzo Lucia Luka Luna Magnus Malik Mara Marco Marta Matteo Mei
    Milan Mina Mira Moritz Nadia Naomi Nia Niklas Nils Noor Nora Odin Olga Oscar Otto Pablo Paola
    Petra Pia Quinn Rafael Raja Renata Rhea Robin Rosa Ruben Sana Selma Sigrid Silas Simone Sofia
    Sven Tala Tamara Tariq Tessa Theo Tilda Timo Ugo Uma Vera Victor Viola Wanda Willem Xenia Yara
    Yusuf Zara Zeno Zoe
"""

_FAMILY = """
    Abel Bauer Costa Dahl Engel Falk Garza Holm Ito Jansen Kaya Lund Meyer Novak Okafor Park
    Quist Rossi Sato Torres Ueda Vogel Weber Xu Yilmaz Zhou Amari Blom Cohen Duarte Eriksen Fontana
"""

GIVEN_NAMES: tuple[str, ...] = tuple(_GIVEN.split())
FAMILY_NAMES: tuple[str, ...] = tuple(_FAMILY.split())


def deal_names(order: list[int], count: int) -> list[str]:
    """Deals `count` different names.

    Args:
        order: a permutation of ``range(len(GIVEN_NAMES))``; the first people get these names.
        count: how many names are needed.

    Returns:
        `count` distinct names. Given names alone while they last, then given name and family
        name.

    Raises:
        ValueError: if more names are asked for than can be told apart.
    """
    given = [GIVEN_NAMES[i] for i in order]
    most = len(given) * (1 + len(FAMILY_NAMES))
    if count > most:
        raise ValueError(f"at most {most} people can be named, asked for {count}")
    names = given[:count]
    for family in FAMILY_NAMES:
        if len(names) >= count:
            break
        names.extend(f"{name} {family}" for name in given[: count - len(names)])
    return names
