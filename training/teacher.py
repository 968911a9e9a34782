"""The teacher: a small convolutional network, which learns 28 × 28 pictures faster than a transformer does."""

from torch import nn
from torch.nn import functional as F


class Residual(nn.Module):
    """Two 3 × 3 convolutions inside a residual; shapes stay."""

    def __init__(self, width):
        super().__init__()
        self.first, self.first_norm = convolution(width, width)
        self.second, self.second_norm = convolution(width, width)

    def forward(self, x):
        inner = F.relu(self.first_norm(self.first(x)))
        return F.relu(x + self.second_norm(self.second(inner)))


def convolution(inputs, outputs, stride=1):
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False), nn.BatchNorm2d(outputs)


class Teacher(nn.Module):
    """Pixels [rows, 1, 28, 28] to logits [rows, classes]: 28, 14 and 7 pixels wide, twice the channels each time."""

    def __init__(self, classes=10, width=32):
        super().__init__()
        self.stages = nn.Sequential(
            *convolution(1, width), nn.ReLU(), Residual(width),
            *convolution(width, 2 * width, stride=2), nn.ReLU(), Residual(2 * width),
            *convolution(2 * width, 4 * width, stride=2), nn.ReLU(), Residual(4 * width),
        )
        self.classifier = nn.Linear(4 * width, classes)

    def forward(self, pixels):
        return self.classifier(self.stages(pixels).mean(dim=(2, 3)))
