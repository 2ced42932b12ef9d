"""Distributions by the names that code and people use for them."""

from packaging.utils import canonicalize_name

DISTRIBUTION_OF = {
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "faiss": "faiss-cpu",
    "fitz": "pymupdf",
    "imblearn": "imbalanced-learn",
    "opencv": "opencv-python",
    "pil": "pillow",
    "pytorch": "torch",
    "pywt": "pywavelets",
    "sklearn": "scikit-learn",
    "skimage": "scikit-image",
    "sksurv": "scikit-survival",
    "skopt": "scikit-optimize",
    "tabnet": "pytorch-tabnet",
    "tf": "tensorflow",
    "umap": "umap-learn",
    "yaml": "pyyaml",
}
"""Import names, and other names in use, of distributions that are called differently: from the installation pages of
the projects. The sandbox itself names the modules of what is installed; this is for other names, and for runners that
list no modules."""
VARIANTS = {
    "opencv-python": ("opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless"),
    "xgboost": ("xgboost-cpu",),
    "tensorflow": ("tensorflow-cpu",),
}
"""Distributions with the same modules under another name, from their pages on the package index."""
INSTALLERS = ("pip", "setuptools", "uv", "wheel")
"""Distributions that install others, which scripts cannot do. Those that come with an interpreter are often too old for
what is added, and no library depends on the installed version."""


def may_install(distribution: str, module: str) -> bool:
    """Return whether a distribution may have installed a module, by their names: `scikit-learn` and `sklearn`."""
    name, module = canonicalize_name(distribution), canonicalize_name(module)
    known = DISTRIBUTION_OF.get(module, module)
    return name.replace("-", "") == module.replace("-", "") or name in (known, *VARIANTS.get(known, ()))
