"""Passwords that people can read aloud."""

import secrets

LIST = """
acorn amber anchor apple apron arrow aspen atlas badge bagel bamboo banjo barley basin basket beacon
beaver bench berry birch bison blanket blossom bonfire border bottle breeze brick bridge bronze brook brush
bucket butter button cabin cactus camel candle canoe canvas canyon carbon carpet carrot castle cedar cello
chalk cherry chess cider cinder circle citrus clover cobalt cocoa comet compass copper coral cotton cradle
crane crater cricket crystal cypress dahlia daisy dance delta denim desert dinner dolphin donkey dragon drift
drum eagle easel echo elbow ember emerald engine falcon feather fennel fern fiddle field finch flame
flannel flint flute forest fossil fountain fox frost galaxy garden garlic garnet ginger glacier globe goat
granite grape gravel guitar hammer harbor harvest hazel hedge helmet heron hickory hollow honey horizon hornet
hotel iceberg indigo island ivory jacket jaguar jasmine jelly jigsaw journey jungle juniper kayak kernel kettle
kingdom kitten ladder lagoon lantern laurel lemon lentil library lilac linen lizard lobster locket lotus lumber
magnet mango maple marble marsh meadow melon meteor mint mirror mitten monsoon morning mosaic mountain mural
mustard napkin nectar needle nickel noodle nutmeg oasis ocean olive onion opal orbit orchard orchid otter
oyster paddle palm panda paper parade parrot pasture peach peanut pebble pelican pencil pepper piano pillow
pine planet plaza plum pocket pollen pony poppy prairie pumpkin puzzle quartz quilt rabbit radish raven
reef ribbon river robin rocket saddle saffron sailor salmon sandal satin shadow silver
"""
WORDS = LIST.split()


def make_readable() -> str:
    """About 46 bits: enough behind a slow hash and a throttled sign-in."""
    words = [secrets.choice(WORDS) for _ in range(5)]
    words.insert(4, str(10 + secrets.randbelow(90)))
    return "-".join(words)
