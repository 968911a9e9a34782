"""Trains the Fashion-MNIST ViT: first the convolutional teacher, then the transformer, on the CPU.

    python training/train.py teacher --out RUN      the teacher, into RUN/teacher.pt
    python training/train.py student --out RUN      the ViT, into RUN/student.pt (needs the teacher)
    python training/train.py export  --out RUN --model www/models/fashion-mnist-vit

Each epoch ends in a checkpoint; a run started again goes on from it.
"""

import argparse
import math
import os
import time
from pathlib import Path

import torch
from torch import distributed
from torch.nn import functional as F

from data import DEFAULT_FOLDER, augment, normalize, read_training
from export import export
from teacher import Teacher
from vit import ViT, config

BATCH = 128

# `torchrun --nproc-per-node 2 training/train.py ...` shares every batch among two processes.
RANK, RANKS = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))


def say(line):
    if RANK == 0:
        print(line, flush=True)


def share_gradients(model):
    """Every process gets the mean of all processes' gradients."""
    if RANKS == 1:
        return
    gradients = [value.grad for value in model.parameters()]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    for gradient, part in zip(gradients, flat.div_(RANKS).split([gradient.numel() for gradient in gradients])):
        gradient.copy_(part.view_as(gradient))


def learning_rate(step, steps, peak, warmup=300):
    """Linear warmup, then a cosine to zero."""
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


@torch.no_grad()
def predict(model, images, batch=500):
    """Logits [count, classes] of u8 images, without augmentation."""
    model.eval()
    return torch.cat([model(normalize(part)) for part in images.split(batch)]).float()


def accuracy(model, images, labels):
    return (predict(model, images).argmax(1) == labels).float().mean().item()


class Average(torch.optim.swa_utils.AveragedModel):
    """Exponential moving average of the weights (and of batch statistics), which is what gets exported."""

    def __init__(self, model, decay):
        super().__init__(model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(decay), use_buffers=True)


def optimizers(model, muon, adam, decay):
    """Muon (https://kellerjordan.github.io/posts/muon/) for the matrices inside the blocks, AdamW for the rest,
    which decays no vectors. [(optimizer, peak learning rate)]."""
    inner, matrices, vectors = [], [], []
    for name, value in model.named_parameters():
        is_inner = muon > 0 and value.ndim == 2 and ".layer." in name
        (inner if is_inner else matrices if value.ndim >= 2 else vectors).append(value)
    groups = [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]
    made = [(torch.optim.AdamW(groups, lr=adam, betas=(0.9, 0.99)), adam)]
    if inner:
        made.append((torch.optim.Muon(inner, lr=muon, weight_decay=decay, adjust_lr_fn="match_rms_adamw"), muon))
    return made


class Run:
    """A model on its way: weights, their average, optimizers, the epoch; saved and resumed as one file."""

    def __init__(self, path, model, made, epochs, seed):
        self.path, self.model, self.optimizers, self.epochs, self.seed = path, model, made, epochs, seed
        self.average = Average(model, decay=0.998)
        self.epoch = 0
        if path.exists():
            self.load_state(torch.load(path, weights_only=True))
            say(f"{path}: goes on after epoch {self.epoch}")

    def save(self, **more):
        state = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer, _ in self.optimizers],
            "epoch": self.epoch,
            **more,
        }
        partial = self.path.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self.path)

    def load_state(self, state):
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        for (optimizer, _), saved in zip(self.optimizers, state["optimizers"]):
            optimizer.load_state_dict(saved)
        self.epoch = state["epoch"]

    def train_epoch(self, images, loss_of, half, erased):
        """One pass over u8 `images`; `loss_of(logits, indices)` compares with whatever is the target."""
        self.model.train()
        order = torch.Generator().manual_seed(1000 * self.seed + self.epoch)
        views = torch.Generator().manual_seed(1000 * self.seed + self.epoch + 500 * (1 + RANK))
        batches = torch.randperm(len(images), generator=order).split(BATCH)
        total = 0.0
        for number, indices in enumerate(batches):
            step = self.epoch * len(batches) + number
            for optimizer, peak in self.optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = learning_rate(step, self.epochs * len(batches), peak)
            indices = indices[RANK::RANKS]
            pixels = normalize(augment(images[indices], views, erased))
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                logits = self.model(pixels)
            loss = loss_of(logits.float(), indices)
            loss.backward()
            share_gradients(self.model)
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            for optimizer, _ in self.optimizers:
                optimizer.step()
                optimizer.zero_grad()
            self.average.update_parameters(self.model)
            total += loss.item()
        self.epoch += 1
        return total / len(batches)

    def train(self, kept, held, loss_of, half, erased, before_epoch=lambda epoch: None, **more):
        while self.epoch < self.epochs:
            began = time.time()
            before_epoch(self.epoch)
            loss = self.train_epoch(kept[0], loss_of, half, erased)
            if RANK == 0:
                self.save(**more)
                scores = accuracy(self.model, *held), accuracy(self.average, *held)
                say(
                    f"epoch {self.epoch}/{self.epochs}  loss {loss:.4f}  held out {scores[0]:.4f}, "
                    f"averaged weights {scores[1]:.4f}  {time.time() - began:.0f} s"
                )


def train_teacher(options):
    kept, held = read_training(options.data)
    torch.manual_seed(options.seed)
    model = Teacher().to(memory_format=torch.channels_last)
    made = optimizers(model, muon=0, adam=3e-3, decay=0.05)
    run = Run(options.out / "teacher.pt", model, made, options.epochs or 6, options.seed)

    def loss_of(logits, indices):
        return F.cross_entropy(logits, kept[1][indices], label_smoothing=0.05)

    run.train(kept, held, loss_of, options.half, erased=0.5)


def teacher_opinions(options, images):
    """The teacher's probabilities [count, classes], averaged over each image and its mirror image."""
    model = Teacher().to(memory_format=torch.channels_last)
    average = Average(model, decay=0.998)
    average.load_state_dict(torch.load(options.out / "teacher.pt", weights_only=True)["average"])
    views = [predict(average, view).softmax(1) for view in (images, images.flip(2))]
    return sum(views) / len(views)


def train_student(options):
    kept, held = read_training(options.data)
    opinions = teacher_opinions(options, kept[0]) if options.taught > 0 else torch.zeros(len(kept[0]), 10)
    torch.manual_seed(options.seed)
    shape = config(options.width, options.layers, options.heads)
    model = ViT(shape)
    made = optimizers(model, options.muon, options.adam, decay=0.05)
    run = Run(options.out / "student.pt", model, made, options.epochs or 30, options.seed)
    embeddings = model.vit["embeddings"]
    patches = embeddings.kept

    def choose_patches(epoch):
        """Half of the patches (PatchDropout, https://arxiv.org/abs/2208.07220), twice as fast; all towards the end."""
        embeddings.kept = patches // 2 if epoch < options.dropping * run.epochs else patches

    def loss_of(logits, indices):
        """Cross-entropy with the labels and the teacher's opinions, in shares of 1 - `taught` and `taught`."""
        truth = F.one_hot(kept[1][indices], logits.shape[1]).float()
        return F.cross_entropy(logits, torch.lerp(truth, opinions[indices], options.taught))

    run.train(kept, held, loss_of, options.half, erased=0.1, before_epoch=choose_patches, config=shape)


def export_student(options):
    saved = torch.load(options.out / "student.pt", weights_only=True)
    average = Average(ViT(saved["config"]), decay=0.998)
    average.load_state_dict(saved["average"])
    export(average.module, saved["config"], options.model)
    say(f"{options.model}: epoch {saved['epoch']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["teacher", "student", "export"])
    parser.add_argument("--data", type=Path, default=DEFAULT_FOLDER, help="folder of the four .gz files")
    parser.add_argument("--out", type=Path, default=Path("target/training"), help="folder of checkpoints")
    parser.add_argument("--model", type=Path, default=Path("www/models/fashion-mnist-vit"))
    parser.add_argument("--epochs", type=int, help="6 for the teacher, 30 for the student")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--width", type=int, default=96)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--heads", type=int, default=3)
    parser.add_argument("--muon", type=float, default=3e-3, help="peak learning rate in the blocks; 0: AdamW there too")
    parser.add_argument("--adam", type=float, default=1e-3, help="peak learning rate elsewhere")
    parser.add_argument("--taught", type=float, default=0.7, help="share of the teacher in the student's target")
    parser.add_argument("--dropping", type=float, default=0.6, help="share of the epochs that see half of the patches")
    parser.add_argument("--half", action="store_true", help="multiply in bfloat16")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if RANKS > 1:
        distributed.init_process_group("gloo")
    options.out.mkdir(parents=True, exist_ok=True)
    {"teacher": train_teacher, "student": train_student, "export": export_student}[options.what](options)


if __name__ == "__main__":
    main()
