"""The demo shop's products. Prices are decimal text in the shop's currency."""

from dataclasses import dataclass
from pathlib import Path

PICTURES = Path(__file__).with_name("pictures")


@dataclass(frozen=True)
class Goods:
    sku: str
    name: str
    price: str
    stock: int
    alt: str
    """What the picture shows, for people who cannot see it."""
    description: str

    @property
    def picture(self) -> Path:
        return PICTURES / f"{self.sku.lower()}.webp"


DEPARTMENTS: dict[str, dict[str, tuple[Goods, ...]]] = {
    "Kitchen": {
        "Coffee & Tea": (
            Goods(
                "KIT-KETTLE",
                "Copper Kettle",
                "89.00",
                24,
                "A round copper kettle with a dark wooden handle",
                "Hand-hammered copper, lined with tin, 1.4 litres. It boils fast, pours without dripping, and sings before it whistles.",
            ),
            Goods(
                "KIT-MUG",
                "Stoneware Mug",
                "18.50",
                140,
                "A teal stoneware mug with a cream rim",
                "Thrown on a wheel, glazed in teal, 350 ml. The handle takes three fingers. Safe in the dishwasher.",
            ),
            Goods(
                "KIT-TEAPOT",
                "Porcelain Teapot",
                "46.00",
                18,
                "A white porcelain teapot with a blue knob",
                "White porcelain for four cups, with a strainer of steel that lifts out. The lid stays on when you pour.",
            ),
            Goods(
                "KIT-GRINDER",
                "Hand Coffee Grinder",
                "64.90",
                33,
                "A wooden coffee grinder with a steel crank",
                "Steel burrs in a walnut body, 40 settings from espresso to French press. Grinds 30 g in under a minute.",
            ),
            Goods(
                "KIT-DRIPPER",
                "Pour-Over Dripper",
                "27.00",
                60,
                "A ceramic coffee dripper on a glass jug",
                "Ceramic cone with spiral ribs and the glass jug below it. Takes paper filters of size 02.",
            ),
        ),
        "Cookware": (
            Goods(
                "KIT-SKILLET",
                "Cast-Iron Skillet",
                "42.00",
                45,
                "A black cast-iron skillet",
                "26 cm, seasoned three times with linseed oil. For hob, oven and open fire; it gets better every year.",
            ),
            Goods(
                "KIT-POT",
                "Enamel Pot",
                "74.00",
                21,
                "A red enamel pot with a lid",
                "Cast iron under red enamel, 4.2 litres. The heavy lid keeps the steam in.",
            ),
            Goods(
                "KIT-KNIFE",
                "Chef's Knife",
                "119.00",
                12,
                "A chef's knife with a walnut handle",
                "Carbon steel, 21 cm, ground thin by hand and fitted with a walnut handle. Dry it after use.",
            ),
            Goods(
                "KIT-BOARD",
                "Oak Cutting Board",
                "38.00",
                110,
                "An oak cutting board with a hole to hang it by",
                "Solid oak, oiled, 38 × 24 cm, with a groove for the juice. Hangs from its hole.",
            ),
        ),
        "Tableware": (
            Goods(
                "KIT-BOWL",
                "Breakfast Bowl",
                "16.00",
                200,
                "A blue bowl",
                "Stoneware, 600 ml, blue outside and cream within. Stacks neatly.",
            ),
            Goods(
                "KIT-CARAFE",
                "Glass Carafe",
                "29.50",
                40,
                "A glass carafe with a cork ball",
                "Mouth-blown glass, one litre, closed by a ball of cork.",
            ),
        ),
    },
    "Home": {
        "Lighting": (
            Goods(
                "HOM-LAMP",
                "Desk Lamp",
                "96.00",
                27,
                "A green desk lamp with brass joints",
                "Steel in deep green with brass joints. Bends in three places and stays where you leave it. LED bulb included.",
            ),
            Goods(
                "HOM-PENDANT",
                "Pendant Light",
                "132.00",
                9,
                "A round brass lamp that hangs from the ceiling",
                "Spun brass, 32 cm, on two metres of black cloth cable. Warm light downwards, none in your eyes.",
            ),
            Goods(
                "HOM-CANDLE",
                "Beeswax Candle",
                "12.00",
                180,
                "A burning beeswax candle on a brass plate",
                "Pure beeswax, 50 hours, in a brass saucer. Smells of honey, drips hardly at all.",
            ),
        ),
        "Living": (
            Goods(
                "HOM-BLANKET",
                "Wool Blanket",
                "148.00",
                16,
                "A folded red and cream wool blanket",
                "New wool from small flocks, 140 × 200 cm, woven double. Warm before the fire and on the train.",
            ),
            Goods(
                "HOM-CUSHION",
                "Linen Cushion",
                "34.00",
                75,
                "An ochre linen cushion",
                "Stone-washed linen in ochre with a filling of feathers, 45 × 45 cm. The cover comes off for the wash.",
            ),
            Goods(
                "HOM-STOOL",
                "Three-Legged Stool",
                "85.00",
                14,
                "A wooden stool with three legs",
                "Ash, turned and wedged without a screw. Three legs never wobble.",
            ),
            Goods(
                "HOM-CLOCK",
                "Wall Clock",
                "58.00",
                30,
                "A round wall clock that shows ten past ten",
                "A quiet movement that sweeps and does not tick, 30 cm, rim of painted steel.",
            ),
            Goods(
                "HOM-PLANT",
                "Potted Snake Plant",
                "31.00",
                3,
                "A snake plant in a clay pot",
                "Forgives you everything. In a clay pot with a saucer, about 50 cm tall.",
            ),
        ),
    },
    "Desk": {
        "Writing": (
            Goods(
                "DSK-NOTEBOOK",
                "Ruled Notebook",
                "14.00",
                260,
                "A blue notebook with a red ribbon",
                "192 numbered pages that take ink, sewn so that they lie flat, with a ribbon and a pocket.",
            ),
            Goods(
                "DSK-PEN",
                "Brass Fountain Pen",
                "72.00",
                22,
                "A brass fountain pen",
                "Turned from one bar of brass, with a steel nib of medium width. It darkens where you hold it.",
            ),
            Goods(
                "DSK-PENCILS",
                "Cedar Pencils, Set of Six",
                "9.50",
                320,
                "Pencils standing in a tin",
                "Six cedar pencils, HB, in a tin. They smell as pencils should.",
            ),
        ),
        "Electronics": (
            Goods(
                "DSK-KEYBOARD",
                "Mechanical Keyboard",
                "139.00",
                19,
                "A cream keyboard with an orange key",
                "75 % layout, quiet tactile switches that can be changed, USB-C. Solid enough to outlive the computer.",
            ),
            Goods(
                "DSK-PHONES",
                "Studio Headphones",
                "179.00",
                8,
                "Black headphones with copper rings",
                "Closed, 40 mm drivers, soft pads that can be replaced, a cable that can, too. No battery, no app.",
            ),
            Goods(
                "DSK-RADIO",
                "Table Radio",
                "94.00",
                11,
                "A walnut table radio",
                "FM and DAB+, one loudspeaker that sounds like a bigger one, in a walnut case. Two knobs are all.",
            ),
        ),
    },
    "Outdoors": {
        "Camping": (
            Goods(
                "OUT-TENT",
                "Two-Person Tent",
                "289.00",
                6,
                "An orange tent",
                "1.9 kg, up in four minutes, dry in a night of rain. Aluminium poles and eight pegs.",
            ),
            Goods(
                "OUT-FLASK",
                "Steel Flask",
                "32.00",
                130,
                "A blue steel flask with a cup",
                "Keeps tea hot for twelve hours, 0.75 litres. The lid is the cup.",
            ),
            Goods(
                "OUT-LANTERN",
                "Storm Lantern",
                "39.00",
                28,
                "A storm lantern that burns",
                "Burns paraffin for 20 hours, wind or no wind. Galvanised and painted.",
            ),
            Goods(
                "OUT-COMPASS",
                "Field Compass",
                "45.00",
                50,
                "A brass compass",
                "Brass, filled with liquid, settles in two seconds. Sapphire bearing, luminous marks.",
            ),
        ),
        "On the Way": (
            Goods(
                "OUT-PACK",
                "Canvas Backpack",
                "124.00",
                17,
                "A green canvas backpack with leather straps",
                "Waxed canvas, 22 litres, straps of leather. Room for a laptop and a loaf.",
            ),
            Goods(
                "OUT-BELL",
                "Bicycle Bell",
                "21.00",
                95,
                "A brass bicycle bell",
                "A brass dome with a clear, friendly note that carries 40 metres.",
            ),
            Goods(
                "OUT-UMBRELLA",
                "Stick Umbrella",
                "59.00",
                36,
                "A blue umbrella with a wooden handle",
                "Ten ribs, a shaft of ash, one metre across. It turns inside out and back again, and nothing breaks.",
            ),
        ),
    },
    "Bitcoin": {
        "Self-Custody": (
            Goods(
                "BTC-SIGNER",
                "Hardware Signer",
                "149.00",
                40,
                "A small signing device with a screen and two buttons",
                "Keeps keys offline and signs by QR code or USB-C. Open firmware that you can build yourself.",
            ),
            Goods(
                "BTC-PLATE",
                "Steel Seed Plate",
                "39.00",
                150,
                "A steel plate with 24 numbered rows",
                "Stainless steel for 24 words, punched by you. Survives fire, flood and the next move.",
            ),
            Goods(
                "BTC-NODE",
                "Pocket Node",
                "249.00",
                5,
                "A small box with a glowing light",
                "A quiet little computer with 2 TB that checks every block for you. Plug it in and let it sync.",
            ),
        ),
        "To Wear": (
            Goods(
                "BTC-SHIRT",
                "Orange Coin T-Shirt",
                "28.00",
                220,
                "A dark T-shirt with an orange coin",
                "Organic cotton, heavy, cut straight. The print outlives the shirt.",
            ),
            Goods(
                "BTC-CAP",
                "Twenty-One Cap",
                "24.00",
                0,
                "An orange cap",
                "Six panels of brushed cotton with a brass buckle. There will never be enough of them.",
            ),
        ),
    },
}
"""Department → shelf → goods."""
