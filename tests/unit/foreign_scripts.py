"""Scripts in the styles of other people: each predicts `label` of the rows of `mixed_rows`, from paths of its own."""

import textwrap

_MODEL = """
train["x"] = (train["kind"] == "red") + train["number"]
test["x"] = (test["kind"] == "red") + test["number"]
cut = train.groupby("label")["x"].mean().mean()
labels = ["yes" if x > cut else "no" for x in test["x"]]
"""
_FRAME = 'sub = pd.DataFrame({"id": test["id"], "label": labels})\n'


def _script(reading: str, writing: str = 'sub.to_csv("submission.csv", index=False)', imports: str = "") -> str:
    parts = ("import pandas as pd", imports, textwrap.dedent(reading), _MODEL, _FRAME, textwrap.dedent(writing))
    return "\n".join(part.strip("\n") for part in parts if part) + "\n"


FOREIGN: dict[str, str] = {
    "absolute paths of Kaggle": _script(
        """
        train = pd.read_csv("/kaggle/input/some-signs/train.csv")
        test = pd.read_csv("/kaggle/input/some-signs/test.csv")
        """,
        'sub.to_csv("/kaggle/working/submission.csv", index=False)',
    ),
    "a folder beside, joined": _script(
        """
        INPUT_DIR = "../input/some-signs"
        train = pd.read_csv(os.path.join(INPUT_DIR, "train.csv"))
        test = pd.read_csv(os.path.join(INPUT_DIR, "test.csv"))
        """,
        imports="import os",
    ),
    "f-strings": _script(
        """
        root = "/home/anna/projects/signs/data"
        train = pd.read_csv(f"{root}/train.csv")
        test = pd.read_csv(f"{root}/test.csv")
        """,
        """
        score = 0.8123
        sub.to_csv(f"sub_{score:.4f}.csv", index=False)
        """,
    ),
    "pathlib": _script(
        """
        data = pathlib.Path("/kaggle/input") / "some-signs"
        assert (data / "train.csv").exists()
        train, test = pd.read_csv(data / "train.csv"), pd.read_csv(data.joinpath("test.csv"))
        """,
        """
        out = Path("/tmp/of/anna")
        sub.to_csv(out / "submission.csv", index=False)
        """,
        imports="import pathlib\nfrom pathlib import Path",
    ),
    "defaults of arguments": _script(
        """
        parser = argparse.ArgumentParser()
        parser.add_argument("--train", default="/data/train.csv", help="rows with labels")
        parser.add_argument("--test", default="/data/test.csv")
        parser.add_argument("--seed", type=int, default=3)
        parser.add_argument("-o", "--output", default="out/sub.csv")
        args = parser.parse_args([])
        train, test = pd.read_csv(args.train), pd.read_csv(args.test)
        """,
        "sub.to_csv(args.output, index=False)",
        imports="import argparse",
    ),
    "arguments without defaults": _script(
        """
        parser = argparse.ArgumentParser()
        parser.add_argument("train_csv")
        parser.add_argument("--test_path", required=True)
        parser.add_argument("--data_dir", type=str, default=None)
        parser.add_argument("--output", type=str, required=True)
        parser.add_argument("--test-mode", action="store_true")
        args = parser.parse_args([])
        train, test = pd.read_csv(args.train_csv), pd.read_csv(args.test_path)
        assert len(pd.read_csv(args.data_dir + "/sample_submission.csv")) == len(test)
        """,
        "sub.to_csv(args.output, index=False)",
        imports="import argparse",
    ),
    "a folder as an argument": _script(
        """
        parser = argparse.ArgumentParser("Training!")
        parser.add_argument("--path", type=str, default="../../data/")
        parser.add_argument("--name", type=str, default="tree")
        args = parser.parse_args([])
        train, test = pd.read_csv(args.path + "train.csv"), pd.read_csv(f"{args.path}test.csv")
        """,
        'sub.to_csv("./Prediction/" + args.name + ".csv", index=False)',
        imports="import argparse",
    ),
    "environment variables": _script(
        """
        train = pd.read_csv(os.path.join(os.environ["DATA_DIR"], "train.csv"))
        test = pd.read_csv(os.environ.get("TEST_CSV", "/data/test.csv"))
        assert len(pd.read_csv(os.environ["TRAIN_CSV"])) == len(train)
        """,
        imports="import os",
    ),
    "names made in a loop": _script(
        """
        DATA = "../data/"
        frames = {name: pd.read_csv(DATA + "%s.csv" % name) for name in ("train", "test")}
        others = {name: pd.read_csv("../data/{}.csv".format(name)) for name in ("train", "test")}
        more = [pd.read_csv(f"../input/signs/{name}.csv") for name in frames]
        train, test = frames["train"], others["test"]
        """
    ),
    "a class of settings": _script(
        """
        class CFG:
            folder = "/content/drive/MyDrive/signs"
            train_path = folder + "/train.csv"
            test_path = folder + "/test.csv"
            out = "predictions.csv"

        train, test = pd.read_csv(CFG.train_path), pd.read_csv(CFG.test_path)
        """,
        "sub.to_csv(CFG.out, index=False)",
    ),
    "a path of Windows": _script(
        r"""
        train = pd.read_csv(r"C:\Users\anna\signs\train.csv")
        test = pd.read_csv("C:\\Users\\anna\\signs\\test.csv")
        """
    ),
    "files by other names": _script(
        """
        train = pd.read_csv("signs_training_data.csv")
        test_file = "data/signs-test.csv"
        test = pd.read_csv(test_file)
        sample = pd.read_csv("data/sampleSubmission.csv")
        """,
        'sub[sample.columns].to_csv("answer.csv", index=False)',
    ),
    "packed files": _script(
        """
        train = pd.read_csv("../input/signs/train.csv.zip")
        test = pd.read_csv("../input/signs/test.csv.zip")
        """
    ),
    "a look around": _script(
        """
        for folder, _, names in os.walk("/kaggle/input"):
            for name in names:
                if name == "train.csv":
                    print(os.path.join(folder, name))
        print(os.listdir("/kaggle/input"))
        train, test = pd.read_csv("train.csv"), pd.read_csv("test.csv")
        """,
        imports="import os",
    ),
    "pictures and progress": _script(
        """
        train, test = pd.read_csv("../input/train.csv"), pd.read_csv("../input/test.csv")
        fig, axes = plt.subplots(1, 2, figsize=(4, 4))
        sns.heatmap(train[["number"]].corr(), ax=axes[0]).set_title("how they go together")
        plt.show()
        for column in tqdm(train.columns):
            display(train[column])
        """,
        imports=(
            "import plotly.express as px, seaborn as sns\nfrom IPython.display import display\n"
            "import missingno as plt\nfrom tqdm.notebook import tqdm"
        ),
    ),
    "several tables written": _script(
        'train, test = pd.read_csv("data/train.csv"), pd.read_csv("data/test.csv")\ntrain.to_csv("cleaned.csv")',
        """
        sub.to_csv("sub_first.csv", index=False)
        sub.to_csv("sub_last.csv", index=False)
        test.head().to_csv("look.csv")
        """,
    ),
    "written line by line": _script(
        'train, test = pd.read_csv("train.csv"), pd.read_csv("test.csv")',
        """
        with open("my_submission.csv", "w") as file:
            file.write("id,label\\n")
            for row in sub.itertuples():
                file.write(f"{row.id},{row.label}\\n")
        """,
    ),
}
_BODY = textwrap.indent(_script('train, test = pd.read_csv("d/train.csv"), pd.read_csv("d/test.csv")'), "    ")
FOREIGN["a main function that exits"] = (
    f'import sys\n\n\ndef main():\n{_BODY}    return 0\n\n\nif __name__ == "__main__":\n    sys.exit(main())\n'
)
"""By habit."""
