import pytest
from click.testing import CliRunner

from cbi_common.catalogue.spec import load_catalogue
from cbi_common.core.errors import UsageError
from ensemble.domain.blend_view import blend_view
from ensemble.view_command import blend_view as command


def test_every_model_of_the_catalogue_is_a_term() -> None:
    shown = CliRunner().invoke(command, ["--results", "bigquery://my-project"], catch_exceptions=False).output
    assert shown.startswith("CREATE OR REPLACE VIEW `my-project.cbi_results.blend` AS")
    for model in load_catalogue().models:
        assert shown.count(f"'$.{model.id}'") == 2


def test_a_name_that_could_end_the_path_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot stand in a JSON path"):
        blend_view("project", "dataset", ["ridge', '$.x"])


def test_a_folder_has_no_views(tmp_path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        CliRunner().invoke(command, ["--results", str(tmp_path)], catch_exceptions=False)
