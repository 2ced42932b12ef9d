from pathlib import Path
from types import SimpleNamespace

import pytest

from mlestar.errors import SettingsError
from mlestar.graph import build_graph
from mlestar.settings import PROFILES, Profile, Settings
from mlestar.settings.form import GROUPS, NODES, TYPES
from tests.unit import golden_settings


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_sets_every_number_of_its_table(profile: Profile) -> None:
    settings = Settings(profile=profile)
    assert {key: getattr(settings, key) for key in PROFILES[profile]} == PROFILES[profile]


def test_a_number_takes_precedence_over_the_profile() -> None:
    settings = Settings(profile="quick", tracks=3)
    assert (settings.tracks, settings.outer_steps) == (3, 1)


@pytest.mark.parametrize(
    "base", [{}, {"profile": "paper"}, Settings().model_dump()], ids=["unset", "named", "recorded"]
)
def test_another_profile_replaces_the_numbers_of_the_profile_before(base: dict[str, object]) -> None:
    changed = Settings.resolve({**base, "max_hours": 7, "seed": 5}).change({"profile": "quick", "tracks": 3})
    quick = {**PROFILES["quick"], "max_hours": 7, "tracks": 3}
    assert {key: getattr(changed, key) for key in quick} == quick
    assert (changed.profile, changed.seed) == ("quick", 5)


FOREIGN = [None, {}, Settings(), SimpleNamespace(color="red"), {"color": "red"}]


@pytest.mark.parametrize("context", FOREIGN, ids=["none", "empty", "settings", "object", "mapping"])
def test_any_context_of_a_graph_gives_settings(context: object) -> None:
    assert Settings.of(context) == Settings()


@pytest.mark.parametrize(
    "context",
    [
        SimpleNamespace(profile="quick", other=1),
        {"profile": "quick", "other": 1},
        {"mlestar": {"profile": "quick"}, "seed": "theirs"},
        SimpleNamespace(mlestar=Settings(profile="quick")),
    ],
    ids=["object", "mapping", "under a key", "under an attribute"],
)
def test_a_foreign_context_gives_what_it_has(context: object) -> None:
    assert Settings.of(context).inner_plans == 2


def test_an_empty_field_of_a_form_is_no_value() -> None:
    assert Settings(profile="quick", model="", goal="", cpus="", tracks="") == Settings(profile="quick")


def test_every_setting_is_in_one_group_of_the_form() -> None:
    grouped = [name for names in GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(Settings.model_fields)
    assert {*TYPES, *NODES} <= set(grouped)


def test_the_page_of_settings_is_up_to_date() -> None:
    assert golden_settings.PAGE.read_text(encoding="utf-8") == golden_settings.render(), "run `make golden`"


def test_every_setting_is_on_the_page_with_its_meaning() -> None:
    page = golden_settings.PAGE.read_text(encoding="utf-8")
    for name, field in Settings.model_fields.items():
        assert f"| `{name}" in page
        assert field.description


def test_the_nodes_of_the_form_exist() -> None:
    named = {node for nodes in NODES.values() for node in nodes}
    drawn = {name.split(":")[-1] for name in build_graph().compile().get_graph(xray=True).nodes}
    assert named <= drawn


def test_a_form_that_sends_its_defaults_back_leaves_the_numbers_to_the_profile() -> None:
    fields = Settings.model_json_schema()["properties"]
    shown = {name: field["default"] for name, field in fields.items() if "default" in field}
    assert Settings.resolve({**shown, "profile": "paper"}) == Settings(profile="paper")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"outer_steps": -1}, "outer_steps"),
        ({"colour": "red"}, "colour"),
        ({"profile": "fast"}, "profile"),
        ({"runner": "dokcer"}, "runner"),
    ],
)
def test_a_bad_setting_is_named_in_one_line(values: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        Settings.resolve(values)
    assert "\n" not in str(caught.value)


def test_saved_settings_load_again() -> None:
    settings = Settings(profile="quick", review=frozenset({"plan"}))
    assert Settings.resolve(settings.model_dump(mode="json")) == settings


@pytest.mark.parametrize("runner", ["auto", "docker", "local", "my_runner:make", "package.module:Name"])
def test_a_runner_is_a_built_in_one_or_a_dotted_name(runner: str) -> None:
    assert Settings.resolve({"runner": runner}).runner == runner


@pytest.mark.parametrize("runner", ["dokcer", "package.module", "package.:Name", "package:", "a b:Name"])
def test_any_other_runner_is_refused_with_the_choices(runner: str) -> None:
    with pytest.raises(SettingsError, match=r"setting 'runner': .*choose auto, docker, local or package\.module:Name"):
        Settings.resolve({"runner": runner})


def test_a_file_of_packages_may_be_a_path(tmp_path: Path) -> None:
    assert Settings.resolve({"packages": tmp_path / "allowed.txt"}).packages == str(tmp_path / "allowed.txt")
