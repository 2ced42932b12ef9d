from types import SimpleNamespace

import pytest

from mlestar.errors import SettingsError
from mlestar.settings import PROFILES, Settings


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_sets_every_number_of_its_table(profile):
    settings = Settings(profile=profile)
    assert {key: getattr(settings, key) for key in PROFILES[profile]} == PROFILES[profile]


def test_a_given_number_beats_the_profile():
    settings = Settings(profile="quick", tracks=3)
    assert (settings.tracks, settings.outer_steps) == (3, 1)


@pytest.mark.parametrize(
    "context", [None, {}, Settings(), SimpleNamespace(color="red")], ids=["none", "dict", "settings", "foreign"]
)
def test_any_context_resolves(context):
    assert Settings.resolve(context) == Settings()


def test_a_foreign_context_gives_what_it_has():
    assert Settings.resolve(SimpleNamespace(profile="quick", other=1)).inner_plans == 2


@pytest.mark.parametrize(
    ("given", "message"),
    [({"outer_steps": -1}, "outer_steps"), ({"colour": "red"}, "colour"), ({"profile": "fast"}, "profile")],
)
def test_a_bad_setting_is_named_in_one_line(given, message):
    with pytest.raises(SettingsError, match=message) as caught:
        Settings.resolve(given)
    assert "\n" not in str(caught.value)


def test_saved_settings_load_again():
    settings = Settings(profile="quick", review=frozenset({"plan"}))
    assert Settings.resolve(settings.model_dump(mode="json")) == settings
