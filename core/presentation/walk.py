"""An attack's steps: what is said of them, and a chart."""

from core.attacks import Method
from core.evaluation.walk import Walk
from core.presentation.figure import COLOURS, Figure, figure, line, mark, stroke, text, titled
from core.presentation.words import with_article

# What the distance is called in each norm.
NORMS = {"linf": "Largest change of a pixel", "l2": "L2 norm", "l0": "Changed pixels"}


def on_walk(walk: Walk, method: Method, *, label: int) -> str:
    """Say what an attack's steps do to a digit that is meant to be `label`."""
    steps = len(walk.x_adv) - 1
    starts = "starts at a random image within ε and " if walk.distance[0] > 0 else ""
    took = f"{method.title} {starts}takes {steps} step{'' if steps == 1 else 's'}."
    if not steps:
        return f"{method.title} takes no step: its goal is reached already."
    if walk.gave_up:
        return f"{took} Then it gives up: it has found nothing, and its answer is the digit itself."
    last = int(walk.predictions[-1])
    if walk.flip is None:
        return f"{took} The network sees {with_article(walk.before)} at each of them."
    first = int(walk.predictions[walk.flip])
    if walk.flip == 0:
        flips = f"The network sees {with_article(first)} where it starts."
    else:
        flips = f"At step {walk.flip} the prediction flips from {walk.before} to {first}."
    end = "" if last == first else f" At the end the network sees {with_article(last)}."
    right = " The digit is read right again." if last == label != first else ""
    return f"{took} {flips}{right or end}"


def on_no_walk(method: Method) -> str:
    """Say why an attack that can't be recorded has no walk."""
    if method.cost == "one step":
        return f"{method.title} takes a single step. Choose BIM or PGD to see a walk."
    return f"{method.title} takes too many small steps to show. Choose BIM or DeepFool instead."


def steps_chart(walk: Walk) -> Figure:
    """Draw the loss and the distance from the digit over an attack's steps, side by side."""
    steps = range(len(walk.loss))
    sides = (("", "loss", walk.loss, "%{y:.3f}"), ("2", "distance", walk.distance, "%{y:.3f}"))
    lines = [
        line(
            name,
            steps,
            values,
            hover=f"{name} {hover}",
            mode="lines+markers",
            **stroke(0),
            xaxis=f"x{side}",
            yaxis=f"y{side}",
            showlegend=False,
        )
        for side, name, values, hover in sides
    ]
    titles = [
        text(title, x=0, xref=f"x{side} domain", xanchor="left", y=1, yref="paper")
        for side, title in (("", "loss"), ("2", "distance"))
    ]
    shapes = []
    if walk.flip is not None:
        # At the top: an attack's loss rises there no sooner than at the flip.
        shape, flips = mark(
            walk.flip, "flips", dash="solid", xanchor="left", yanchor="top", xshift=3
        )
        shape["line"] = {"color": COLOURS[1], "width": 2}
        shapes = [shape, shape | {"xref": "x2"}]
        titles.append(flips)
    if walk.epsilon is not None:
        limit = {"type": "line", "xref": "x2 domain", "x0": 0, "x1": 1, "yref": "y2"}
        limit |= {"y0": walk.epsilon, "y1": walk.epsilon, "line": {"dash": "dot", "width": 1.5}}
        shapes.append(limit)
        right = {"xref": "x2 domain", "xanchor": "right", "yref": "y2"}
        titles.append(text("ε", x=1, y=walk.epsilon, **right))
    return figure(
        lines,
        titled("step", domain=[0, 0.44], rangemode="tozero"),
        {"rangemode": "tozero"},
        height=280,
        top=40,
        xaxis2=titled("step", domain=[0.56, 1], anchor="y2", rangemode="tozero"),
        yaxis2={"rangemode": "tozero", "anchor": "x2"},
        shapes=shapes,
        annotations=titles,
    )
