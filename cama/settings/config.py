"""`config.yaml` as a whole."""

import math

from pydantic import Field, model_validator

from cama import plugins
from cama.alignment import MCU
from cama.core.errors import CamaError
from cama.core.names import NUMBERS
from cama.core.seeds import derive_seed
from cama.settings.attacks import KINDS, AttackSpec, CardSpec, EvaluationSpec, MethodSpec, PlotsSpec, TablesSpec
from cama.settings.data import DatasetSpec, ModelsSpec, PatchesSpec, SimulationSpec, SplitSpec
from cama.settings.owners import AdversarySpec, DetectionSpec, ExaminerSpec
from cama.settings.spec import Spec
from cama.settings.training import ClassifierRole, ComputeSpec, TargetSpec

FEWEST_FOR_A_CLAIM = 6  # catalogues; with fewer a t interval is too wide to say much


class Config(Spec):
    """The whole of `config.yaml`."""

    seed: int = Field(1, ge=0, description="seed of all random numbers; each stage derives its own from it")
    results: str = Field(
        "results", pattern=r"^[^{}<>*?\[\]\x00-\x1f]+$", description="folder that the workflow writes to"
    )
    dataset: DatasetSpec = DatasetSpec()
    models: ModelsSpec
    simulation: SimulationSpec = SimulationSpec()
    split: SplitSpec = SplitSpec()
    patches: PatchesSpec = PatchesSpec()
    adversary: AdversarySpec = AdversarySpec()
    examiner: ExaminerSpec = ExaminerSpec()
    attack: AttackSpec = AttackSpec()
    evaluation: EvaluationSpec = EvaluationSpec()
    detection: DetectionSpec = DetectionSpec()
    tables: TablesSpec = TablesSpec()
    plots: PlotsSpec = PlotsSpec()
    card: CardSpec = CardSpec()
    compute: ComputeSpec = ComputeSpec()

    @property
    def smallest(self) -> int:
        """The smallest side of a photograph that the crops need, in pixels."""
        phases = self.phase("adversary"), self.phase("test")
        return max(self.patches.crop + (MCU if "random" in phases else 0), self.patches.window)

    def phase(self, role: str) -> str:
        """The phase of a role's crops; the test crops are cut as those of the examiner."""
        return (self.adversary if role == "adversary" else self.examiner).phase or self.patches.phase

    def patch_fields(self, role: str) -> tuple[str, ...]:
        """What some stage reads of a role's patches: beside `rgb` the residuals that E0 learns, and what G takes."""
        fields = ["rgb"]
        if role == "adversary" and any(
            spec.generator.input == "remosaic" for spec in self.adversary.generators.values()
        ):
            fields.append("remosaic")
        if role in ("adversary", "examiner"):
            fields.append("residual")
        return tuple(fields)

    @property
    def used_generators(self) -> list[str]:
        """The generators that methods use."""
        return list(dict.fromkeys(method.generator for method in self.attack.methods.values() if method.generator))

    @property
    def auto_methods(self) -> tuple[str, ...]:
        """The methods that choose the target of each photograph."""
        return tuple(name for name, method in self.attack.methods.items() if method.auto)

    @property
    def uses_denoiser(self) -> bool:
        """Whether a method needs the adversary's denoiser."""
        return any(method.kind == "purify" for method in self.attack.methods.values())

    @property
    def used_evaluators(self) -> list[str]:
        """The classifiers of E that those generators, or gradient attacks, use."""
        users = [*(self.adversary.generators[name] for name in self.used_generators), *self.attack.methods.values()]
        return list(dict.fromkeys(name for user in users for name in user.evaluators))

    @property
    def adversary_classifiers(self) -> list[str]:
        """These, and the judges of those generators."""
        judges = [judge for name in self.used_generators for judge in self.adversary.generators[name].judges]
        return list(dict.fromkeys([*self.used_evaluators, *judges]))

    @property
    def second_trainings(self) -> dict[str, int]:
        """The generators of which an examiner makes one more training, by another seed, and the number of that training."""
        used = {self.attack.methods[spec.method].generator for spec in self.examiner.informed.values()}
        return {name: spec.runs + 1 for name, spec in self.adversary.generators.items() if name in used}

    @property
    def report_parts(self) -> tuple[str, ...]:
        """The tables and plots of the report that not every run has."""
        wanted = {
            "out": self.models.out_of_distribution,
            "per_label": self.plots.methods,
            "saves": len(self.evaluation.saves) > 1,
            "paired": self.tables.baseline,
            "auto": self.auto_methods,
            "detection": self.detection.methods,
            "devices": self.detection.devices,
        }
        return tuple(name for name, value in wanted.items() if value)

    def roles(self, method: str) -> dict[str, ClassifierRole]:
        """What each target classifier is to a method: `informed` where it has trained on attacked pictures; `expanded` by its
        labels; else `same_family` where it shares a signal or the kind of its network with a classifier of the method's E, or
        with one that judged its generator, and `other_family` where it does not. A method without E stands to all of them.
        """
        spec = self.attack.methods[method]
        own = list(spec.evaluators)
        if spec.generator:
            learned = self.adversary.generators[spec.generator]
            own = [*learned.evaluators, *learned.judges]
        known = {
            family
            for name in own or self.adversary_classifiers
            for family in self.adversary.evaluators[name].net.families
        }

        def role(spec: TargetSpec) -> ClassifierRole:
            if spec.labels == "expanded":
                return "expanded"
            return "same_family" if spec.net.families & known else "other_family"

        roles = {name: role(spec) for name, spec in self.examiner.classifiers.items()}
        return roles | dict.fromkeys(self.examiner.informed, "informed")

    @property
    def catalogues(self) -> tuple["Config", ...]:
        """A config for each catalogue of simulated cameras; this one where there is one alone.

        Each of several has its own folder and seed, which depend on no other catalogue, so that trainings differ too and any
        of them can be joined. In the first alone are generators trained as often as `runs` says: what a training adds to the
        deviation is measured once.
        """
        seeds = self.simulation.catalogue_seeds
        if len(seeds) == 1:
            return (self,)
        generators = self.adversary.generators
        once = {name: spec.model_copy(update={"runs": 1}) for name, spec in generators.items()}

        def part(seed: int) -> Config:
            trained = generators if seed == seeds[0] else once
            changes = {
                "seed": derive_seed(self.seed, "catalogue", seed),
                "results": f"{self.results}/catalogue-{seed}",
                "simulation": self.simulation.model_copy(update={"catalogue_seeds": (seed,)}),
                "adversary": self.adversary.model_copy(update={"generators": trained}),
                "tables": self.tables.model_copy(update={"claim": False}),
            }
            return self.model_copy(update=changes)

        return tuple(map(part, seeds))

    @model_validator(mode="after")
    def _fits_together(self) -> "Config":
        self._catalogues_fit()
        self._patches_fit()
        self._photographs_fit()
        self._names_exist()
        self._evaluators_have_gradients()
        self._judges_are_held_out()
        self._methods_fit()
        self._detection_fits()
        return self

    def _catalogues_fit(self) -> None:
        seeds = self.simulation.catalogue_seeds
        key = f"simulation.catalogue_seeds: found {list(seeds)}, expected"
        if len(set(seeds)) < len(seeds):
            raise ValueError(f"{key} each seed once")
        if len(seeds) > 1 and self.dataset.kind != "simulated":
            raise ValueError(f"{key} one seed at most: the photographs of {self.dataset.kind} are not simulated")
        if self.tables.claim and len(seeds) < FEWEST_FOR_A_CLAIM:
            raise ValueError(f"{key} {FEWEST_FOR_A_CLAIM} or more, since tables.claim is true")

    def _patches_fit(self) -> None:
        if self.patches.crop % self.patches.size:
            raise ValueError(
                f"patches.crop: found {self.patches.crop}, expected a multiple of patches.size ({self.patches.size})"
            )
        for name, spec in self.adversary.generators.items():
            for key, value, side in (
                ("augmentation.jpeg", spec.augmentation.jpeg, 16),
                ("encode", spec.encode, 32),
                ("generator.matched", spec.generator.matched, 32),
            ):
                if value and self.patches.size % side:
                    found = "found true, expected false" if value is True else f"found {value:g}, expected 0"
                    raise ValueError(
                        f"adversary.generators.{name}.{key}: {found} unless patches.size is a multiple of {side}"
                        f" (found {self.patches.size})"
                    )
        bodies = [self.adversary.estimator.net, self.examiner.estimator.net]
        bodies += [self.adversary.denoiser.net] if self.uses_denoiser else []
        for body in (*bodies, *(spec.generator for spec in self.adversary.generators.values())):
            if self.patches.size % 2**body.downsamplings:
                raise ValueError(
                    f"patches.size: found {self.patches.size}, expected a multiple of {2**body.downsamplings}"
                    f" for a network with {body.downsamplings} downsamplings"
                )

    def _photographs_fit(self) -> None:
        if self.dataset.kind == "simulated":
            if self.dataset.one_body:
                raise ValueError("dataset.one_body: found true, but simulated cameras have bodies of their own")
            if min(self.simulation.width, self.simulation.height) < self.smallest:
                raise ValueError(f"simulation: found a side below the crop, expected at least {self.smallest} pixels")
            for block, roles, count in (
                ("in_distribution", self.split.in_distribution, self.simulation.devices_in),
                ("out_of_distribution", self.split.out_of_distribution, self.simulation.devices_out),
            ):
                for role, devices in roles.model_dump().items():
                    wrong = [device for device in devices if not 0 <= device < count]
                    if wrong:
                        raise ValueError(
                            f"split.{block}.{role}: found {wrong[0]}, expected devices of 0 to {count - 1}"
                        )
            if self.split.policy == "scene":
                raise ValueError(
                    "split.policy: found 'scene', expected 'device' or 'device+scene': simulated cameras have several devices"
                )
            if self.simulation.scenes and self.split.policy == "image":
                raise ValueError(
                    "split.policy: found 'image', expected 'device' or 'device+scene' with simulation.scenes: photographs of"
                    " one device may share a scene"
                )
            return
        if not self.dataset.root:
            raise ValueError("dataset.root: found nothing, expected the folder of the photographs")
        for name, method in self.attack.methods.items():
            if method.kind == "oracle":
                raise ValueError(f"attack.methods.{name}: found 'oracle', which only simulated cameras can answer")
        if self.split.policy == "device+scene":
            raise ValueError("split.policy: found 'device+scene', but only simulated photographs name their scene")

    def _names_exist(self) -> None:
        classifiers, evaluators = self.examiner.classifiers, self.adversary.evaluators
        generators, methods = self.adversary.generators, self.attack.methods
        if not classifiers:
            raise ValueError("examiner.classifiers: found none, expected at least one target classifier")
        if methods.get("identity") is None or methods["identity"].kind != "identity":
            raise ValueError("attack.methods: found no 'identity', which every table needs for the clean accuracy")
        other = next((name for name in self.card.names if name not in self.models.in_distribution), "")
        if other:
            raise ValueError(f"card.names: found {other!r}, expected one of models.in_distribution")
        expanded = [name for name, spec in classifiers.items() if spec.labels == "expanded"]
        if expanded and not (self.models.out_of_distribution and self.split.out_of_distribution.examiner):
            raise ValueError(
                f"examiner.classifiers.{expanded[0]}.labels: found 'expanded', expected models in"
                " models.out_of_distribution and their devices in split.out_of_distribution.examiner"
            )
        informed, networks = self.examiner.informed, [n for n, spec in classifiers.items() if not spec.net.non_neural]
        learned = [name for name, method in methods.items() if method.generator and not method.auto]
        for name in informed:
            if name in classifiers:
                raise ValueError(f"examiner.informed.{name}: found the name of a target classifier, expected another")
        for name in self.examiner.judges:
            if name in {**classifiers, **informed}:
                raise ValueError(f"examiner.judges.{name}: found the name of a target classifier, expected another")
        detectable = [
            n
            for n, method in methods.items()
            if method.kind not in ("identity", "oracle", "folder") and not method.auto
        ]
        references = [
            *((f"adversary.generators.{n}.evaluators", s.evaluators, evaluators) for n, s in generators.items()),
            *((f"adversary.generators.{n}.opponents", s.opponents, list(s.evaluators)) for n, s in generators.items()),
            *((f"adversary.generators.{n}.judges", s.judges, evaluators) for n, s in generators.items()),
            *((f"attack.methods.{n}.generator", s.generator, generators) for n, s in methods.items()),
            *(
                # a learned attack's steps go by classifiers that its generator was trained with: its judges are held out
                (
                    f"attack.methods.{n}.evaluators",
                    s.evaluators,
                    getattr(generators.get(s.generator), "evaluators", evaluators),
                )
                for n, s in methods.items()
            ),
            *((f"examiner.informed.{n}.classifier", s.classifier, networks) for n, s in informed.items()),
            *((f"examiner.informed.{n}.method", s.method, learned) for n, s in informed.items()),
            ("detection.methods", self.detection.methods, detectable),
            ("detection.devices", self.detection.devices, methods),
            ("tables.baseline", self.tables.baseline, [name for name, spec in methods.items() if not spec.auto]),
            (
                "plots.methods",
                self.plots.methods,
                [name for name, spec in methods.items() if spec.targeted and not spec.auto],
            ),
        ]
        for key, value, known in references:
            _check_names(key, [value] if isinstance(value, str) else list(value), list(known))
        compared = {name for name, spec in methods.items() if not spec.auto} - {self.tables.baseline, "identity"}
        if self.tables.baseline and not compared:
            raise ValueError(f"tables.baseline: found {self.tables.baseline!r}, expected a method to compare with it")

    def _evaluators_have_gradients(self) -> None:
        users = {
            **{f"adversary.generators.{name}": spec for name, spec in self.adversary.generators.items()},
            **{f"attack.methods.{name}": spec for name, spec in self.attack.methods.items()},
        }
        for key, user in users.items():
            for name in user.evaluators:
                net = self.adversary.evaluators[name].net
                if net.non_neural:
                    raise ValueError(
                        f"{key}.evaluators: found {name!r}, expected networks: {net.architecture} has no gradients"
                    )

    def _judges_are_held_out(self) -> None:
        for name, spec in self.adversary.generators.items():
            seen = [judge for judge in spec.judges if judge in spec.evaluators]
            if seen:
                raise ValueError(
                    f"adversary.generators.{name}.judges: found {seen[0]!r}, expected none of its evaluators"
                )
            if spec.judges and not self.split.validation:
                raise ValueError(
                    f"adversary.generators.{name}.judges: found some, expected none where split.validation is 0"
                )

    def _methods_fit(self) -> None:
        methods, most = self.attack.methods, self.attack.photographs or math.inf
        for name, method in methods.items():
            if (method.kind == "oracle") != (name == "oracle"):  # tables find it by its name
                raise ValueError(
                    f"attack.methods.{name}: found the kind {method.kind!r}, expected a method called 'oracle' to be of that"
                    " kind, and no other"
                )
            if method.auto and not self.adversary.generators[method.generator].judges:
                raise ValueError(f"attack.methods.{name}.auto: found true, expected judges of {method.generator}")
            if method.kind not in KINDS:
                _try_options(name, method, self.models.in_distribution)
            if method.photographs > most or (method.photographs and method.kind == "identity"):
                raise ValueError(
                    f"attack.methods.{name}.photographs: found {method.photographs}, expected at most those of `identity`,"
                    " which are attack.photographs"
                )

    def _detection_fits(self) -> None:
        detection = self.detection
        for name, spec in detection.detectors.items():
            key = f"detection.detectors.{name}"
            if name == NUMBERS:
                raise ValueError(f"{key}: found the name of the logistic regression, expected another")
            if spec.net.needs_estimator:
                raise ValueError(f"{key}.net.frontend: found {spec.net.frontend!r}, which needs an estimator")
            if spec.training.processes > 1:
                raise ValueError(
                    f"{key}.training.processes: found {spec.training.processes}, expected 1: detectors are small"
                )
        if detection.devices and self.dataset.kind == "spcup2018":
            raise ValueError("detection.devices: found some, expected none: spcup2018 has one device of each model")
        if detection.devices and self.dataset.one_body:
            raise ValueError(
                "detection.devices: found some, expected none: dataset.one_body says that there are no others"
            )
        if detection.devices and (self.patches.crops > 1 or self.phase("test") == "random"):
            raise ValueError(
                "detection.devices: found some, expected none unless patches.crops is 1 and the phase of the test crops"
                " (examiner.phase, patches.phase) aligned"
            )


def _check_names(key: str, names: list[str], known: list[str]) -> None:
    """Each name, where it is not empty, must be one of `known`, and be there once."""
    for name in names:
        if name and name not in known:
            raise ValueError(
                f"{key}: found {name!r}, expected {f'one of {known}' if known else 'none, since there is none'}"
            )
        if names.count(name) > 1:
            raise ValueError(f"{key}: found {name!r} more than once, expected each name once")


def _try_options(name: str, method: MethodSpec, targets: tuple[str, ...]) -> None:
    """Make an attack of another package once, so that wrong options are found before the run."""
    try:
        plugins.load(plugins.ATTACKS, method.kind)(method.options, targets, 0)
    except CamaError:
        raise
    except Exception as error:
        raise ValueError(f"attack.methods.{name}.options: {type(error).__name__}: {error}") from error
