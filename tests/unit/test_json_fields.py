"""New rows with JSON objects in cells: every field of the known rows is in one of them."""

import json

import pandas as pd

from mlestar.predictor.json_fields import with_known_fields


def fields(*objects: object) -> pd.DataFrame:
    return pd.DataFrame({"id": [str(row) for row in range(len(objects))], "data": [json.dumps(row) for row in objects]})


KNOWN = fields({"a": 1, "in": {"b": 2}}, {"a": 3, "in": {"c": "x"}})


def test_a_row_alone_gets_the_fields_that_it_lacks_as_null() -> None:
    found = with_known_fields(fields({"in": {"b": 5}}), KNOWN)
    assert json.loads(found["data"][0]) == {"in": {"b": 5, "c": None}, "a": None}


def test_rows_that_have_every_field_together_stay_as_they_are() -> None:
    rows = fields({"in": {"c": 1}}, {"a": 1, "in": {"b": 1}})
    pd.testing.assert_frame_equal(with_known_fields(rows, KNOWN), rows)


def test_a_missing_object_becomes_one_with_null_fields() -> None:
    rows = pd.DataFrame({"id": ["1"], "data": [""]})
    assert json.loads(with_known_fields(rows, KNOWN)["data"][0]) == {"a": None, "in": {"b": None, "c": None}}


def test_cells_that_are_no_objects_and_no_rows_stay_as_they_are() -> None:
    for rows in (pd.DataFrame({"id": ["1"], "data": ["{not json"]}), KNOWN[:0]):
        pd.testing.assert_frame_equal(with_known_fields(rows, KNOWN[["id"]]), rows)
    texts = pd.DataFrame({"id": ["1"], "data": ["7"]})
    pd.testing.assert_frame_equal(with_known_fields(texts, pd.DataFrame({"id": ["2"], "data": ["[1, 2]"]})), texts)


def test_numbers_beyond_doubles_keep_their_row_unchanged() -> None:
    rows = pd.DataFrame({"id": ["1"], "data": ['{"a": 1e999}']})
    pd.testing.assert_frame_equal(with_known_fields(rows, KNOWN), rows)
