"""BibTeX records of the registered data sets, by citation key."""

from __future__ import annotations

__all__ = ["BIBTEX"]

_RECORDS = r"""
@article{artetxe-schwenk-2019-massively,
    title={Massively Multilingual Sentence Embeddings for Zero-Shot Cross-Lingual Transfer and
    Beyond},
  author={Artetxe, Mikel and Schwenk, Holger},
  journal={TACL},
  volume={7},
  year={2019}
}

@inproceedings{bowman-etal-2015-large,
  title={A large annotated corpus for learning natural language inference},
  author={Bowman, Samuel R. and Angeli, Gabor and Potts, Christopher and Manning, Christopher D.},
  booktitle={EMNLP},
  year={2015},
  url={https://aclanthology.org/D15-1075/}
}

@inproceedings{cer-etal-2017-semeval,
    title={{S}em{E}val-2017 Task 1: Semantic Textual Similarity Multilingual and Crosslingual
    Focused Evaluation},
    author={Cer, Daniel and Diab, Mona and Agirre, Eneko and Lopez-Gazpio, I{\~n}igo and Specia,
    Lucia},
  booktitle={SemEval},
  year={2017}
}

@inproceedings{conneau-etal-2018-xnli,
  title={{XNLI}: Evaluating Cross-lingual Sentence Representations},
    author={Conneau, Alexis and Rinott, Ruty and Lample, Guillaume and Williams, Adina and
    Bowman, Samuel and Schwenk, Holger and Stoyanov, Veselin},
  booktitle={EMNLP},
  year={2018},
  url={https://aclanthology.org/D18-1269/}
}

@article{coucke2018snips,
    title={Snips Voice Platform: an embedded Spoken Language Understanding system for
    private-by-design voice interfaces},
  author={Coucke, Alice and others},
  journal={arXiv:1805.10190},
  year={2018}
}

@article{de-marneffe-etal-2021-universal,
  title={Universal Dependencies},
    author={de Marneffe, Marie-Catherine and Manning, Christopher D. and Nivre, Joakim and
    Zeman, Daniel},
  journal={Computational Linguistics},
  volume={47},
  number={2},
  year={2021}
}

@inproceedings{dolan-brockett-2005-automatically,
  title={Automatically Constructing a Corpus of Sentential Paraphrases},
  author={Dolan, William B. and Brockett, Chris},
  booktitle={IWP},
  year={2005}
}

@inproceedings{elliott-etal-2016-multi30k,
  title={{M}ulti30{K}: Multilingual {E}nglish-{G}erman Image Descriptions},
  author={Elliott, Desmond and Frank, Stella and Sima'an, Khalil and Specia, Lucia},
  booktitle={Workshop on Vision and Language},
  year={2016},
  url={https://aclanthology.org/W16-3210/}
}

@inproceedings{elliott-etal-2017-findings,
    title={Findings of the Second Shared Task on Multimodal Machine Translation and Multilingual
    Image Description},
    author={Elliott, Desmond and Frank, Stella and Barrault, Lo{\"\i}c and Bougares, Fethi and
    Specia, Lucia},
  booktitle={WMT},
  year={2017}
}

@inproceedings{goo-etal-2018-slot,
  title={Slot-Gated Modeling for Joint Slot Filling and Intent Prediction},
  author={Goo, Chih-Wen and others},
  booktitle={NAACL},
  year={2018},
  url={https://aclanthology.org/N18-2118/}
}

@inproceedings{hu2020xtreme,
    title={{XTREME}: A Massively Multilingual Multi-task Benchmark for Evaluating Cross-lingual
    Generalization},
  author={Hu, Junjie and others},
  booktitle={ICML},
  year={2020}
}

@misc{karpathy2015char,
  author={Karpathy, Andrej},
  title={char-rnn},
  year={2015},
  howpublished={https://github.com/karpathy/char-rnn}
}

@inproceedings{kaushik2020learning,
  title={Learning the Difference that Makes a Difference with Counterfactually Augmented Data},
  author={Kaushik, Divyansh and Hovy, Eduard and Lipton, Zachary C.},
  booktitle={ICLR},
  year={2020}
}

@inproceedings{li-roth-2002-learning,
  title={Learning Question Classifiers},
  author={Li, Xin and Roth, Dan},
  booktitle={COLING},
  year={2002},
  url={https://aclanthology.org/C02-1150/}
}

@inproceedings{liu2021crossner,
  title={{CrossNER}: Evaluating Cross-Domain Named Entity Recognition},
    author={Liu, Zihan and Xu, Yan and Yu, Tiezheng and Dai, Wenliang and Ji, Ziwei and
    Cahyawijaya, Samuel and Madotto, Andrea and Fung, Pascale},
  booktitle={AAAI},
  year={2021},
  url={https://arxiv.org/abs/2012.04373}
}

@inproceedings{marelli-etal-2014-sick,
  title={A {SICK} cure for the evaluation of compositional distributional semantic models},
    author={Marelli, Marco and Menini, Stefano and Baroni, Marco and Bentivogli, Luisa and
    Bernardi, Raffaella and Zamparelli, Roberto},
  booktitle={LREC},
  year={2014}
}

@inproceedings{mayhew-etal-2024-universal,
  title={Universal {NER}: A Gold-Standard Multilingual Named Entity Recognition Benchmark},
    author={Mayhew, Stephen and Blevins, Terra and Liu, Shuheng and {\v S}uppa, Marek and Gonen,
    Hila and Imperial, Joseph Marvin and Karlsson, B{\"o}rje F. and Lin, Peiqin and Ljube{\v
    s}i{\'c}, Nikola and Miranda, LJ and Plank, Barbara and Riabi, Arij and Pinter, Yuval},
  booktitle={NAACL},
  year={2024},
  url={https://aclanthology.org/2024.naacl-long.243/}
}

@inproceedings{merity2017pointer,
  title={Pointer Sentinel Mixture Models},
  author={Merity, Stephen and Xiong, Caiming and Bradbury, James and Socher, Richard},
  booktitle={ICLR},
  year={2017},
  url={https://arxiv.org/abs/1609.07843}
}

@inproceedings{pang-lee-2005-seeing,
    title={Seeing Stars: Exploiting Class Relationships for Sentiment Categorization with
    Respect to Rating Scales},
  author={Pang, Bo and Lee, Lillian},
  booktitle={ACL},
  year={2005},
  url={https://aclanthology.org/P05-1015/}
}

@inproceedings{silveira14gold,
  title={A Gold Standard Dependency Corpus for {E}nglish},
    author={Silveira, Natalia and Dozat, Timothy and de Marneffe, Marie-Catherine and Bowman,
    Samuel and Connor, Miriam and Bauer, John and Manning, Christopher D.},
  booktitle={LREC},
  year={2014}
}

@inproceedings{socher-etal-2013-recursive,
  title={Recursive Deep Models for Semantic Compositionality Over a Sentiment Treebank},
    author={Socher, Richard and Perelygin, Alex and Wu, Jean and Chuang, Jason and Manning,
    Christopher D. and Ng, Andrew and Potts, Christopher},
  booktitle={EMNLP},
  year={2013},
  url={https://aclanthology.org/D13-1170/}
}

@inproceedings{wang2019glue,
  title={{GLUE}: A Multi-Task Benchmark and Analysis Platform for Natural Language Understanding},
    author={Wang, Alex and Singh, Amanpreet and Michael, Julian and Hill, Felix and Levy, Omer
    and Bowman, Samuel R.},
  booktitle={ICLR},
  year={2019}
}

@article{warstadt2018neural,
  title={Neural Network Acceptability Judgments},
  author={Warstadt, Alex and Singh, Amanpreet and Bowman, Samuel R.},
  journal={arXiv:1805.12471},
  year={2018}
}

@inproceedings{williams-etal-2018-broad,
  title={A Broad-Coverage Challenge Corpus for Sentence Understanding through Inference},
  author={Williams, Adina and Nangia, Nikita and Bowman, Samuel},
  booktitle={NAACL},
  year={2018}
}
"""


def _by_key(records: str) -> dict[str, str]:
    """Split BibTeX text, records separated by an empty line, into one record per key."""
    blocks = records.strip().split("\n\n")
    return {block.split("{", 1)[1].split(",", 1)[0]: block for block in blocks}


BIBTEX: dict[str, str] = _by_key(_RECORDS)
