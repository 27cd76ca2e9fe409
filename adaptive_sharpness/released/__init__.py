"""What the report's released notebooks compute where it differs from the report's text, each difference a switch.

`training` is a way to train; `fcnn`, `lenet5` and `gat` are estimators with the interface of those in
`adaptive_sharpness.measures`. A switch's default is what was released, in `training` what the text says.
The notebooks: https://github.com/HadiHammoud44/CS439_Sharpness (FCNN_model, LeNet5_model and GAT_model.ipynb).
"""
