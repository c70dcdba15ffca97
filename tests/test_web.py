"""The web page in a real browser, with all that is behind it."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.browser import DESKTOP, PATIENCE_MS, PHONE, Site, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.local import Broker

ARTEFACTS = Path(__file__).parents[1] / "artefacts"
VIEWS = ("Friends", "For you", "Trending")
GRAVE = {"serious", "critical"}
FRIENDS = [("ann", "bob"), ("cara", "dan"), ("eve", "finn"), ("gus", "hal"), ("ida", "jon")]
CROWD = ["kim", "lou", "max"]  # friends of ida, who has a feed to look at
SHOW = ["harbour", "lantern", "moss", "river", "copper", "tide", "meadow", "quiet-hour"]
MANY = [f"friend{number}" for number in range(30)]  # of nora, who has more than one page
SELECT = """name => getSelection().selectAllChildren(
  [...document.querySelectorAll("th")].find(one => one.textContent === name))"""  # rows come and go
LOST = re.compile(r"Failed to load resource: net::ERR_|401 \(Unauthorized\)")

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def whole(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Run one site for all tests, each of which has people of its own."""
    with serving(broker, tmp_path_factory.mktemp("site")) as site:
        site.happen(
            *[{"kind": "befriend", "user": one, "friend": two} for one, two in FRIENDS],
            *[{"kind": "befriend", "user": "ida", "friend": one} for one in CROWD],
            *[{"kind": "befriend", "user": "nora", "friend": one} for one in MANY],
            *[{"kind": "post", "user": one, "item": f"walk-{one}"} for one in MANY],
            *[{"kind": "post", "user": "max", "item": one, "topics": ["art"]} for one in SHOW[:3]],
            *[{"kind": "like", "user": one, "item": item} for one in CROWD for item in SHOW],
            {"kind": "share", "user": "lou", "item": "river", "to": ["ida"]},
            {"kind": "like", "user": "jon", "item": "tide"},
        )
        yield site


@pytest.fixture
def site(whole: Site) -> Iterator[Site]:
    """Give the site; whatever a window complained of fails the test."""
    yield whole
    complaints = whole.complaints()
    whole.close()
    assert complaints == []


def card(page: Page, item: str) -> Locator:
    """Find the card of an item in the feed that is shown."""
    return page.locator(f"section:not([hidden]) .card[data-item='{item}']")


def items(page: Page, feed: str) -> list[str]:
    """List the items of a feed, in the order in which they are shown."""
    cards = page.locator(f"#{feed}-feed .card")
    found: list[str] = cards.evaluate_all("all => all.map(one => one.dataset.item)")
    return found


def press(card: Locator, action: str) -> Locator:
    """Press a button of a card, and give it."""
    button = card.locator(f".{action}")
    button.click()
    return button


def keep(page: Page, name: str) -> None:
    """Keep a picture of a page, for a person to look at."""
    ARTEFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"{name}.png")


def grave(page: Page) -> list[str]:
    """Name what keeps people from using a page."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['html'][:120]}"
        for one in found
        if one["impact"] in GRAVE
        for node in one["nodes"]
    ]


def turn_to(page: Page, view: str) -> None:
    """Open another feed."""
    page.get_by_role("navigation").get_by_role("link", name=view).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(view)


def test_a_like_appears_in_a_friends_window_and_goes_when_it_is_taken_back(site: Site) -> None:
    """What somebody does is on the other's screen with no doing of theirs, in words."""
    site.publish("bob", {"kind": "post", "item": "song"})
    ann, bob = site.visit("ann"), site.visit("bob")

    expect(card(ann, "song")).to_contain_text("bob posted this")
    expect(card(ann, "song").get_by_role("heading")).to_have_text("song")  # as it is, no `Song`
    like = press(card(ann, "song"), "like")
    expect(like).to_have_attribute("aria-pressed", "true")
    expect(card(bob, "song")).to_contain_text("ann liked this")
    like.click()
    expect(like).to_have_attribute("aria-pressed", "false")
    expect(card(bob, "song")).to_have_count(0)


def test_a_block_takes_everything_off_both_screens(site: Site) -> None:
    """Whoever is blocked is gone at once, in both directions, and can be undone."""
    site.publish("cara", {"kind": "like", "item": "book"})
    site.publish("dan", {"kind": "like", "item": "song"}, {"kind": "share", "item": "film"})
    cara, dan = site.visit("cara", still=True), site.visit("dan", still=True)
    expect(card(dan, "book")).to_be_visible()
    expect(card(cara, "film")).to_contain_text("dan shared this")

    card(cara, "song").get_by_role("button", name="dan").click()
    cara.get_by_role("dialog").get_by_role("button", name="Block").click()
    cara.keyboard.press("Escape")
    expect(cara.locator("#friends-feed .card")).to_have_count(0)
    expect(dan.locator("#friends-feed .card")).to_have_count(0)
    cara.get_by_role("button", name="Undo").click()
    expect(card(cara, "song")).to_be_visible()
    expect(card(dan, "book")).to_be_visible()


def test_a_share_reaches_whom_it_is_for_and_what_is_hidden_goes(site: Site) -> None:
    """Shares with all and by name say so to who gets them; hiding can be undone."""
    site.publish("finn", {"kind": "like", "item": "song"}, {"kind": "like", "item": "film"})
    eve, finn = site.visit("eve", still=True), site.visit("finn", still=True)

    press(card(eve, "song"), "share")
    eve.get_by_role("button", name="Share with all friends").click()
    press(card(eve, "film"), "share")
    eve.get_by_label("Finn").check()
    eve.get_by_role("button", name="Share with these").click()
    expect(card(finn, "song")).to_contain_text("eve shared this")
    expect(card(finn, "film")).to_contain_text("eve shared this with you")
    press(card(finn, "song"), "hide")
    expect(card(finn, "song")).to_have_count(0)
    finn.get_by_role("button", name="Undo").click()
    expect(card(finn, "song")).to_be_visible()


def test_nothing_is_lost_while_the_api_is_away(site: Site) -> None:
    """A window says that the line is lost, and by itself has all that happened when it is back."""
    hal = site.visit("hal")
    site.api.kill()
    expect(hal.locator("#state")).to_have_text("Reconnecting")
    site.happen({"kind": "like", "user": "gus", "item": "song"})
    site.api.start()

    expect(card(hal, "song")).to_contain_text("gus liked this")
    expect(hal.locator("#state")).to_have_text("Live")
    assert site.complaints(besides=LOST) == []
    site.forgive()


def test_what_is_for_somebody_comes_page_by_page_with_reasons(site: Site) -> None:
    """Nothing comes twice, and the panel says why, number by number."""
    nora = site.visit("nora", still=True)
    turn_to(nora, "For you")
    cards = nora.locator("#for-you-feed .card")
    expect(cards).to_have_count(20)
    first = items(nora, "for-you")
    nora.get_by_role("button", name="Show more").click()
    expect(cards.nth(20)).to_be_focused()
    all_of_them = items(nora, "for-you")

    assert all_of_them[:20] == first
    assert len(set(all_of_them)) == len(all_of_them) > 20
    press(cards.first, "why")
    panel = nora.get_by_role("dialog")
    expect(panel).to_contain_text("Place 1 on page 1 of “For you”")
    expect(panel.get_by_role("row", name="Value")).to_contain_text("=")
    keep(nora, "why")


def test_a_page_that_is_paused_or_scrolled_keeps_its_order(site: Site) -> None:
    """What comes meanwhile is counted, and shown when asked for."""
    ida = site.visit("ida", size=PHONE)
    expect(card(ida, "river")).to_be_visible()
    before = items(ida, "friends")
    ida.get_by_role("button", name="Pause").click()
    site.publish("jon", {"kind": "share", "item": "news"})
    expect(ida.locator("#friends-pill")).to_have_text("1 new")

    assert items(ida, "friends") == before
    ida.locator("#friends-pill").click()
    expect(card(ida, "news")).to_be_focused()
    expect(card(ida, "news")).to_be_in_viewport()


def test_everything_can_be_reached_with_the_keyboard(site: Site) -> None:
    """The focus is seen, goes from card to card, into a panel and back to where it was."""
    ida = site.visit("ida")
    expect(card(ida, "river")).to_be_visible()
    ida.keyboard.press("Tab")
    expect(ida.get_by_role("link", name="Skip to the content")).to_be_focused()
    cards = ida.locator("#friends-feed .card")
    cards.first.focus()
    ida.keyboard.press("j")
    expect(cards.nth(1)).to_be_focused()
    ida.keyboard.press("k")
    expect(cards.first).to_be_focused()
    why = cards.first.locator(".why")
    while not why.evaluate("one => one === document.activeElement"):
        ida.keyboard.press("Tab")

    assert why.evaluate("one => getComputedStyle(one).outlineStyle") == "solid"
    ida.keyboard.press("Enter")
    expect(ida.get_by_role("dialog").get_by_role("heading", level=2)).to_be_focused()
    ida.keyboard.press("Escape")
    expect(why).to_be_focused()


@pytest.mark.parametrize(
    ("scheme", "size"), [("light", DESKTOP), ("dark", PHONE)], ids=["light-desktop", "dark-phone"]
)
def test_nothing_keeps_anybody_from_using_the_page(
    site: Site, scheme: str, size: tuple[int, int], request: pytest.FixtureRequest
) -> None:
    """Neither feeds nor panels have a serious violation of what axe knows, in both themes."""
    name = request.node.callspec.id
    ida = site.visit("ida", scheme=scheme, size=size, still=True)
    expect(card(ida, "river")).to_contain_text("lou shared this with you")
    for view in VIEWS:
        turn_to(ida, view)
        expect(ida.locator("section:not([hidden]) .card").first).to_be_visible()
        keep(ida, f"{view.lower().replace(' ', '-')}-{name}")
        assert grave(ida) == []
    turn_to(ida, "Friends")
    for action in ("why", "share"):
        press(card(ida, "river"), action)
        expect(ida.get_by_role("dialog")).to_contain_text("river")
        keep(ida, f"{action}-{name}")
        assert grave(ida) == []
        ida.keyboard.press("Escape")


def test_who_wants_no_motion_sees_none(site: Site) -> None:
    """Where the system asks for less motion, nothing is animated when the feed changes."""
    ida = site.visit("ida", still=True)
    site.publish("jon", {"kind": "like", "item": "calm"})
    expect(card(ida, "calm")).to_be_visible()

    assert ida.evaluate("document.getAnimations().length") == 0


def test_a_token_leaves_the_address_at_once_and_a_bad_one_is_refused_in_words(site: Site) -> None:
    """The page says what is wrong and what to do; a session outlives a reload, and ends."""
    page = site.open(still=True)
    page.goto("/#token=nonsense")
    expect(page.locator("#token-error")).to_contain_text(
        "The token is not valid here: sign in again."
    )
    assert page.url.endswith("/")
    assert grave(page) == []
    keep(page, "sign-in")
    page.get_by_label("Your token").fill(site.api.token("ida"))
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#state")).to_have_text("Live")
    page.reload()
    expect(card(page, "river")).to_be_visible()
    page.get_by_role("button", name="Ida: your account").click()
    page.get_by_label("Look as another user").fill("nora")
    page.get_by_role("button", name="Look").last.click()
    expect(page.get_by_role("button", name="Nora: your account")).to_be_visible()
    page.get_by_role("button", name="Nora: your account").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Your token")).to_be_visible()
    assert site.complaints(besides=LOST) == []
    site.forgive()


def test_a_session_that_expires_asks_for_a_new_token(site: Site) -> None:
    """Nobody looks at a feed that has quietly stopped."""
    page = site.open()
    page.goto(f"/#token={site.api.token('ida', minutes=0.2)}")
    expect(page.locator("#friends-feed")).to_be_visible()
    expect(page.locator("#token-error")).to_contain_text("expired", timeout=2 * PATIENCE_MS)

    expect(page.locator("#friends-feed")).to_be_hidden()
    assert site.complaints(besides=LOST) == []
    site.forgive()


def test_what_was_on_the_screen_for_a_while_was_seen(site: Site) -> None:
    """A card that was looked at counts as one view of its item."""
    site.publish("jon", {"kind": "post", "item": "sight"})
    ida = site.visit("ida")
    card(ida, "sight").scroll_into_view_if_needed()
    ida.wait_for_timeout(2_300)
    ida.goto("about:blank")
    deadline = time.monotonic() + PATIENCE_MS / 1_000
    while (views := site.read("ida", "/v1/items/sight")["views"]) == 0:
        assert time.monotonic() < deadline
        time.sleep(0.05)

    assert views == 1


@pytest.mark.parametrize(
    ("scheme", "size"), [("light", DESKTOP), ("dark", PHONE)], ids=["light-desktop", "dark-phone"]
)
def test_operators_see_how_the_stream_does(
    site: Site, scheme: str, size: tuple[int, int], request: pytest.FixtureRequest
) -> None:
    """Numbers, plots and partitions are those of this moment, and nobody is kept from them."""
    page = site.open(scheme=scheme, size=size)
    page.goto(f"/operator#token={site.api.token('ops', operator=True)}")
    expect(page.locator("#verdict")).to_have_text("OK")
    expect(page.locator("#state")).to_have_text("Live")
    expect(page.locator("#source")).to_contain_text("No report of a monitor was found")
    expect(page.locator(".plot canvas")).to_have_count(4)
    page.get_by_text("12 partitions are OK").click()
    expect(page.get_by_role("row", name="likes:0")).to_contain_text("OK")
    page.evaluate(SELECT, "likes:0")
    seen = page.locator("#source").text_content()
    expect(page.locator("#source")).not_to_have_text(str(seen))
    assert "likes" in page.evaluate("String(getSelection())")  # so that it can be copied

    assert page.url.endswith("/operator")
    page.evaluate("scrollTo({ top: 0, behavior: 'instant' })")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    keep(page, f"operator-{request.node.callspec.id}")
    assert grave(page) == []


def test_the_page_of_operators_is_not_for_users(site: Site) -> None:
    """A user is told what is missing."""
    page = site.open()
    page.goto(f"/operator#token={site.api.token('ida')}")
    expect(page.locator("#token-error")).to_contain_text("scope `operator`")

    assert page.locator("#view").is_hidden()
    assert site.complaints(besides=re.compile(r"403 \(Forbidden\)")) == []
    site.forgive()


def test_browsers_keep_the_files_of_a_page_and_ask_for_the_page_itself(site: Site) -> None:
    """Files have the version in their address; a page that is known is not sent again."""
    page = httpx.get(site.api.url)
    parts = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
    kept = [httpx.get(site.api.url + part) for part in parts]
    again = httpx.get(site.api.url, headers={"If-None-Match": page.headers["ETag"]})
    other = re.sub(r"/static/\w+/", "/static/another/", parts[0])

    assert page.headers["Cache-Control"] == "no-cache"
    assert again.status_code == 304
    assert len(kept) == 3
    assert {one.status_code for one in kept} == {200}
    assert {one.headers["Cache-Control"] for one in kept} == {"public, max-age=31536000, immutable"}
    assert httpx.get(site.api.url + other).headers["Cache-Control"] == "no-store"
    assert httpx.get(f"{site.api.url}/static/x/__init__.py").status_code == 404
